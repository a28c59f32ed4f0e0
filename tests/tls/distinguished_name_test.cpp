#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tls/distinguished_name.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/x509_builder.hpp>

#include <torsion/tests/tls/credentials.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;

namespace {

std::string derOf(const X509_NAME* name) {
    unsigned char* data = nullptr;
    const int size = i2d_X509_NAME(name, &data);
    REQUIRE(size > 0);
    std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    return der;
}

void append(X509_NAME* name, const char* field, const char* value, int set = 0) {
    REQUIRE(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value), -1,
                                       -1, set) == 1);
}

}  // namespace

TEST_CASE("long and short names of a field are one field") {
    const std::vector<std::pair<const char*, const char*>> aliases{
        {"CN", "commonName"},  {"O", "organizationName"},     {"OU", "organizationalUnitName"},
        {"L", "localityName"}, {"ST", "stateOrProvinceName"}, {"C", "countryName"}};
    for (const auto& [shortName, longName] : aliases) {
        DistinguishedName name;
        name.set(shortName, "ab");
        CHECK(name.get(longName) == "ab");
        CHECK(name == DistinguishedName{{longName, "ab"}});
        CHECK(name.fields().begin()->first == longName);
    }
    CHECK(DistinguishedName{{"emailAddress", "a@b.example"}}.get("emailAddress") == "a@b.example");
    CHECK(DistinguishedName().empty());
    CHECK(DistinguishedName() == DN());
    CHECK_FALSE(DN{{"CN", "a"}} == DN{{"O", "a"}});
}

TEST_CASE("an unknown field is an error that lists the known ones") {
    try {
        const DistinguishedName name{{"Cn", "a"}};
        FAIL_CHECK("accepted");
    } catch (const ValueError& error) {
        CHECK(std::string(error.what()) ==
              "Cn is not a valid field of a distinguished name; the fields are countryName (C), stateOrProvinceName "
              "(ST), localityName (L), organizationName (O), organizationalUnitName (OU), commonName (CN), "
              "emailAddress");
    }
}

TEST_CASE("names beyond ASCII survive a certificate") {
    const DistinguishedName name{{"CN", "Jos\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC"}, {"O", "M\xC3\xBCller & S\xC3\xB6hne"}};
    const Certificate certificate = Certificate::load(someKey().selfSignedCert(1, name).dump());
    CHECK(certificate.getSubject() == name);
    CHECK(certificate.getIssuer() == name);
    CHECK_THROWS_AS(someKey().selfSignedCert(1, DistinguishedName{{"CN", "\xFF"}}), ssl::Error);
    CHECK_THROWS_AS(someKey().selfSignedCert(1, DistinguishedName{{"CN", std::string(65, 'a')}}), ssl::Error);
    CHECK_NOTHROW(someKey().selfSignedCert(1, DistinguishedName{{"CN", std::string(64, 'a')}}));
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("a field may have several values, and they survive a certificate") {
    DistinguishedName name{{"OU", "one"}, {"CN", "a"}, {"OU", "two"}};
    name.add("organizationalUnitName", "three");
    CHECK(name.get("OU") == "one");
    CHECK(name.getAll("OU") == std::vector<std::string>{"one", "two", "three"});
    CHECK(name.getAll("L").empty());
    CHECK(Certificate::load(someKey().selfSignedCert(1, name).dump()).getSubject() == name);
    CHECK_FALSE(name == DistinguishedName{{"OU", "two"}, {"OU", "one"}, {"OU", "three"}, {"CN", "a"}});
    CHECK(name.str().find("'organizationalUnitName': 'one', 'organizationalUnitName': 'two'") != std::string::npos);
    name.set("OU", "four");
    CHECK(name.getAll("OU") == std::vector<std::string>{"four"});
    CHECK(name == DistinguishedName{{"CN", "a"}, {"OU", "four"}});
}

TEST_CASE("what is read is written in the same order and the same groups") {
    const NamePointer native(X509_NAME_new());
    append(native.get(), "CN", "a");
    append(native.get(), "emailAddress", "a@b.example", -1);
    append(native.get(), "O", "an organization");
    append(native.get(), "OU", "one");
    append(native.get(), "OU", "two", -1);
    append(native.get(), "C", "DE");
    DistinguishedName name = DistinguishedName::fromNative(native.get());
    CHECK(derOf(nativeName(name).get()) == derOf(native.get()));

    // Changing a field leaves the others where they are.
    name.set("O", "another").set("OU", "three").set("L", "Berlin");
    const NamePointer changed(X509_NAME_new());
    append(changed.get(), "L", "Berlin");
    append(changed.get(), "CN", "a");
    append(changed.get(), "emailAddress", "a@b.example", -1);
    append(changed.get(), "O", "another");
    append(changed.get(), "OU", "three");
    append(changed.get(), "C", "DE");
    CHECK(X509_NAME_cmp(nativeName(name).get(), changed.get()) == 0);
}

TEST_CASE("new names are in the customary order, whatever the order of their making") {
    const NamePointer made =
        nativeName(DistinguishedName{{"CN", "a"}, {"emailAddress", "a@b.example"}, {"C", "DE"}, {"O", "b"}});
    const NamePointer expected(X509_NAME_new());
    append(expected.get(), "C", "DE");
    append(expected.get(), "O", "b");
    append(expected.get(), "CN", "a");
    append(expected.get(), "emailAddress", "a@b.example");
    CHECK(X509_NAME_cmp(made.get(), expected.get()) == 0);
}
