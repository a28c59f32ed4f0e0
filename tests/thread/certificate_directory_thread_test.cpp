#include <doctest/doctest.h>

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tls/certificate_directory.hpp>

using namespace torsion;
using namespace torsion::ssl;

TEST_CASE("certificates can be read again on any thread while others shake hands (SNI, TLS-18)") {
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "certificate_directory_XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto put = [&](const std::string& name) {
        std::ofstream(folder + "/new", std::ios::binary) << test::issued({"a.example"}).dumpPEM();
        fs::rename(folder + "/new", folder + '/' + name);
    };
    put("a.pem");
    CertificateDirectory directory(folder);
    constexpr int kHandshakes = 60, kReloads = 60;
    std::atomic<int> good{0};
    std::atomic<int> reloads{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&good, handle = directory.share()] {
            const auto client = optionsForClientTLS("a.example", test::authority());
            for (int i = 0; i < kHandshakes; ++i) good += test::shake(client, *handle).ok() ? 1 : 0;
        });
    }
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t, mine = directory]() mutable {
            for (int i = 0; i < kReloads; ++i) {
                if (t == 0) put("a.pem");
                reloads += mine.reload() ? 1 : 0;
                mine.faults();
                mine.current();
                mine.reloadIfChanged();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    fs::remove_all(folder);
    CHECK(good == 2 * kHandshakes);
    CHECK(reloads == 2 * kReloads);
}
