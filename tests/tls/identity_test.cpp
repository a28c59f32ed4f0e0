#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tls/identity.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using namespace std::string_view_literals;

namespace {

std::string refusal(std::string_view hostname) {
    try {
        optionsForClientTLS(hostname, authority());
    } catch (const ValueError& error) {
        return error.what();
    }
    return "accepted";
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// Whether a client that wants @p hostname accepts a certificate with these names.
bool matches(std::string_view hostname, const std::vector<std::string>& names) {
    const Handshake result = shake(optionsForClientTLS(hostname, authority()), issued(names).options());
    if (!result.ok()) CHECK(result.clientFailure->check<VerificationError>());
    return result.ok();
}

}  // namespace

TEST_CASE("a host name is taken in one form") {
    CHECK(Identity::parse("Example.COM").name == "example.com");
    CHECK(Identity::parse("example.com.").name == "example.com");
    CHECK(Identity::parse("localhost").name == "localhost");
    CHECK(Identity::parse("_dmarc.xn--bcher-kva.example").name == "_dmarc.xn--bcher-kva.example");
    CHECK_FALSE(Identity::parse("example.com").isAddress);
    CHECK(Identity::parse("192.0.2.1").isAddress);
    CHECK(Identity::parse("::1").isAddress);
    CHECK(Identity::parse("FE80::1%eth0").name == "fe80::1");
    CHECK(Identity::parsePattern("*.example.com").name == "*.example.com");
    CHECK(Identity::parse(std::string(63, 'a') + ".example").name.size() == 71);
}

TEST_CASE("what is no host name is refused with the reason") {
    CHECK(contains(refusal(""), "empty"));
    CHECK(contains(refusal("."), "empty label"));
    CHECK(contains(refusal(".example.com"), "empty label"));
    CHECK(contains(refusal("example..com"), "empty label"));
    CHECK(contains(refusal("example.com.."), "empty label"));
    CHECK(contains(refusal("example.com\0.evil.example"sv), "NUL"));
    CHECK(contains(refusal("b\xC3\xBC"
                           "cher.example"),
                   "xn--"));
    CHECK(contains(refusal("*.example.com"), "letters, digits"));
    CHECK(contains(refusal("example.com/path"), "letters, digits"));
    CHECK(contains(refusal("a b"), "letters, digits"));
    CHECK(contains(refusal("example.com:443"), "without port"));
    CHECK(contains(refusal("[::1]"), "without port or brackets"));
    CHECK(contains(refusal("127.1"), "looks like an address"));
    CHECK(contains(refusal("192.0.2.1%eth0"), "letters, digits"));
    CHECK(contains(refusal(std::string(64, 'a') + ".example"), "63"));
    std::string longest = "a";
    while (longest.size() < 253) longest += ".a";
    CHECK(longest.size() == 253);
    CHECK(refusal(longest) == "accepted");
    CHECK(contains(refusal(longest + ".a"), "253"));
}

TEST_CASE("DNS names match whole, without regard to case, and a star stands for one first label") {
    CHECK(matches("example.com", {"example.com"}));
    CHECK(matches("example.com", {"other.example", "example.com"}));
    CHECK(matches("EXAMPLE.com.", {"example.com"}));
    CHECK_FALSE(matches("www.example.com", {"example.com"}));
    CHECK_FALSE(matches("example.com", {"www.example.com"}));
    CHECK_FALSE(matches("example.com.evil.example", {"example.com"}));
    CHECK(matches("www.example.com", {"*.example.com"}));
    CHECK_FALSE(matches("example.com", {"*.example.com"}));
    CHECK_FALSE(matches("a.b.example.com", {"*.example.com"}));
    CHECK_FALSE(matches("example.com", {"*.com"}));
    CHECK(matches("xn--bcher-kva.example.com", {"*.example.com"}));
}

TEST_CASE("IP addresses match addresses only, and names only names") {
    CHECK(matches("192.0.2.1", {"192.0.2.1"}));
    CHECK(matches("2001:db8::1", {"2001:0DB8:0:0:0:0:0:1"}));
    CHECK_FALSE(matches("192.0.2.1", {"192.0.2.2"}));
    CHECK_FALSE(matches("192.0.2.1", {"example.com"}));
    CHECK_FALSE(matches("example.com", {"192.0.2.1"}));
    CHECK_FALSE(matches("192.0.2.1", {"::ffff:192.0.2.1"}));
}
