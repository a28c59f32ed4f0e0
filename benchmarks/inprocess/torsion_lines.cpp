// How many lines of 64 octets a second a LineReceiver takes out of deliveries of 64 KiB and sends back.

#include <cstddef>
#include <cstdlib>
#include <memory>

#include <torsion/benchmarks/inprocess/torsion_report.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/string_transport.hpp>

using namespace torsion;

namespace {

/// Counts what is written to it, and keeps nothing.
class Sink final : public testing::StringTransport {
public:
    std::size_t octets = 0;

protected:
    void writeView(BytesView data) override { octets += data.size(); }
    void writeOwned(Bytes&& data) override { octets += data.size(); }
};

class Echo final : public LineReceiver {
public:
    void lineReceived(BytesView line) override { sendLine(line); }
};

}  // namespace

int main() {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kBatch = 65536;
    constexpr std::size_t kBatches = 1000;
    Bytes batch;
    while (batch.size() < kBatch) batch += Bytes(kLine - 2, 'x') + "\r\n";
    const auto sink = std::make_shared<Sink>();
    const auto echo = std::make_shared<Echo>();
    echo->makeConnection(sink);
    const double rate = report::perSecond(kBatches * (kBatch / kLine), [&] {
        sink->octets = 0;
        for (std::size_t i = 0; i < kBatches; ++i) echo->dataReceived(batch);
        if (sink->octets != kBatches * kBatch) std::abort();
    });
    report::print("lines/LineReceiver", "lines/s", rate);
}
