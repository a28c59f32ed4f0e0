// How many Deferreds a second can be made, given their callbacks, and fired; and how many coroutines run that await.

#include <cstddef>
#include <cstdlib>

#include <torsion/benchmarks/inprocess/torsion_report.hpp>
#include <torsion/core/defer.hpp>

using namespace torsion;

namespace {

constexpr std::size_t kRounds = 300000;

void chain10(long& sum) {
    const Deferred<long> d;
    d.addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([](long x) { return x + 1; })
        .addCallback([&sum](long x) {
            sum += x;
            return x;
        });
    d.callback(0);
}

/// A callback returns a Deferred that is fired already.
void nested(long& sum) {
    const Deferred<long> d;
    d.addCallback([](long x) { return defer::succeed(x + 1); }).addCallback([&sum](long x) {
        sum += x;
        return x;
    });
    d.callback(8);
}

Deferred<long> await10() {
    long sum = 0;
    for (long i = 0; i < 10; ++i) {
        const long x = co_await defer::succeed(1L);
        sum += x;
    }
    co_return sum;
}

template <class Round>
void measure(const char* name, long each, Round round) {
    const double rate = report::perSecond(kRounds, [&] {
        long sum = 0;
        for (std::size_t i = 0; i < kRounds; ++i) round(sum);
        if (sum != each * static_cast<long>(kRounds)) std::abort();
    });
    report::print(name, "1/s", rate);
}

}  // namespace

int main() {
    measure("deferred/chain10", 9, [](long& sum) { chain10(sum); });
    measure("deferred/nested", 9, [](long& sum) { nested(sum); });
    measure("deferred/await10", 10, [](long& sum) { await10().addCallback([&sum](long x) { sum += x; }); });
}
