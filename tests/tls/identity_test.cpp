#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tls/identity.hpp>

#include <torsion/tests/tls/credentials.hpp>
#include <torsion/tests/tls/handshake.hpp>
#include <torsion/tests/words.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;
using torsion::test::contains;
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

TEST_CASE("a name beyond ASCII becomes its A-label, as IDNA2008 has it") {
    // In UTF-8: u with diaeresis, sharp s, the ideographic full stop.
    const std::string bucher =
        "b\xC3\xBC"
        "cher";
    CHECK(Identity::parse(bucher + ".example").name == "xn--bcher-kva.example");
    CHECK(Identity::parse("B\xC3\x9C"
                          "CHER.Example.")
              .name == "xn--bcher-kva.example");
    CHECK(Identity::parse("fa\xC3\x9F.example").name == "xn--fa-hia.example");
    CHECK(Identity::parse(bucher + "\xE3\x80\x82"
                                   "example")
              .name == "xn--bcher-kva.example");
    CHECK(Identity::parse("xn--bcher-kva.m\xC3\xBCnchen.example").name == "xn--bcher-kva.xn--mnchen-3ya.example");
    CHECK(Identity::parsePattern("*." + bucher + ".example").name == "*.xn--bcher-kva.example");
    CHECK_THROWS_AS(Identity::parse("*." + bucher + ".example"), ValueError);
    CHECK(optionsForClientTLS(bucher + ".example", authority()).hostname() == "xn--bcher-kva.example");
    // The A-label has at most 63 octets: "xn--", the letters in ASCII, a hyphen, and three for the one that is not.
    for (const std::size_t letters : {54U, 55U}) {
        CHECK(Identity::parse(std::string(letters, 'a') + "\xC3\xBC.example").name.find('.') == letters + 8);
    }
    CHECK(contains(refusal(std::string(56, 'a') + "\xC3\xBC.example"), "too large"));
}

TEST_CASE("names beyond ASCII match as A-labels, on the wire and in certificates (CFG-10) (TT-30)") {
    const std::string bucher =
        "b\xC3\xBC"
        "cher.example";
    CHECK(issued({bucher, "*." + bucher}).subjectAltNames() ==
          std::vector<std::string>{"xn--bcher-kva.example", "*.xn--bcher-kva.example"});
    CHECK(matches(bucher, {"xn--bcher-kva.example"}));
    CHECK(matches("xn--bcher-kva.example", {bucher}));
    CHECK(matches("www." + bucher, {"*." + bucher}));
    CHECK_FALSE(matches(bucher, {"bucher.example"}));
    const Handshake result = shake(optionsForClientTLS(bucher, authority()), issued({bucher}).options());
    REQUIRE(result.ok());
    CHECK(std::string(SSL_get_servername(result.server->native(), TLSEXT_NAMETYPE_host_name)) ==
          "xn--bcher-kva.example");
}

TEST_CASE("what is no host name is refused with the reason") {
    CHECK(contains(refusal(""), "empty"));
    CHECK(contains(refusal("."), "empty label"));
    CHECK(contains(refusal(".example.com"), "empty label"));
    CHECK(contains(refusal("example..com"), "empty label"));
    CHECK(contains(refusal("example.com.."), "empty label"));
    CHECK(contains(refusal("example.com\0.evil.example"sv), "NUL"));
    CHECK(refusal("\xE2\x98\x83.example") ==
          "Host name '\xE2\x98\x83.example' cannot be verified: it is no internationalized name: string contains a "
          "disallowed character");
    CHECK(contains(refusal("\xFF\xFE.example"), "string encoding error"));
    CHECK(contains(refusal(std::string(1100, 'a') + "\xC3\xBC"), "more than 1012 octets"));
    CHECK(contains(refusal("b\xC3\xBC..example"), "empty label"));
    CHECK(contains(refusal("b\xC3\xBC\0.example"sv), "NUL"));
    CHECK(contains(refusal("a\xE2\x84\x80.example"), "it"));
    CHECK(contains(refusal("\xEF\xBC\x91.0.0.1"), "looks like an address"));
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

TEST_CASE("IP addresses match addresses only, and names only names (CFG-10)") {
    CHECK(matches("192.0.2.1", {"192.0.2.1"}));
    CHECK(matches("2001:db8::1", {"2001:0DB8:0:0:0:0:0:1"}));
    CHECK_FALSE(matches("192.0.2.1", {"192.0.2.2"}));
    CHECK_FALSE(matches("192.0.2.1", {"example.com"}));
    CHECK_FALSE(matches("example.com", {"192.0.2.1"}));
    CHECK_FALSE(matches("192.0.2.1", {"::ffff:192.0.2.1"}));
}
