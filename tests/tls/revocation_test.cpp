#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tests/tls/revocation_fixture.hpp>
#include <torsion/tls/ocsp_staple.hpp>
#include <torsion/tls/ticket_keys.hpp>

using namespace torsion;
using namespace torsion::ssl;
using namespace torsion::ssl::test;

namespace {

using Parameters = CertificateOptions::Parameters;
constexpr int kCertificateRevoked = 44;

const PrivateCertificate& leaf() {
    static const PrivateCertificate certificate = issued({"example.com"});
    return certificate;
}

/// The leaf of a chain of three.
const PrivateCertificate& deep() {
    static const PrivateCertificate certificate =
        intermediate().issue(someKey(), DistinguishedName{{"CN", "a deep leaf"}}, {"example.com"});
    return certificate;
}

ClientTLSOptions clientWith(const std::vector<RevocationList>& lists, RevocationScope scope = RevocationScope::leaf) {
    return optionsForClientTLS("example.com", authority(), std::nullopt, {},
                               Parameters().revocationLists(lists, scope));
}

CertificateOptions serverOf(const PrivateCertificate& certificate, TLSVersion version) {
    return CertificateOptions(Parameters(certificate).lowerMaximumSecurityTo(version));
}

/// Expects that a client with @p lists refuses @p certificate in both versions. @return the client's text
std::string refused(const std::vector<RevocationList>& lists, RevocationScope scope = RevocationScope::leaf,
                    const PrivateCertificate& certificate = leaf()) {
    std::string text;
    for (const TLSVersion version : kBothVersions) {
        const Handshake result = shake(clientWith(lists, scope), serverOf(certificate, version));
        CHECK_FALSE(result.clientDone);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        REQUIRE(result.serverFailure);
        CHECK(result.serverFailure->value<ssl::Error>()->alert().has_value());
        text = result.clientText();
    }
    return text;
}

/// Connects, and closes in order, without which a session cannot be resumed. @return whether this one was
bool joined(const ContextFactory& client, const ContextFactory& server) {
    const Handshake result = shake(client, server);
    CHECK_MESSAGE(result.ok(), result.clientText());
    SSL_shutdown(result.client->native());
    SSL_shutdown(result.server->native());
    return SSL_session_reused(result.client->native()) == 1;
}

}  // namespace

TEST_CASE("a revocation list is read, asked and written") {
    const RevocationList list = revocationList(authority(), {leaf(), issued({})});
    const RevocationList empty = revocationList(intermediate(), {});
    CHECK(list.getIssuer() == authority().getSubject());
    CHECK(list.size() == 2);
    CHECK(empty.size() == 0);
    CHECK(list.revokes(leaf()));
    CHECK_FALSE(list.revokes(issued({})));
    CHECK_FALSE(empty.revokes(leaf()));
    CHECK_FALSE(revocationList(intermediate(), {leaf()}).revokes(leaf()));  // the number is another issuer's
    CHECK(list.str() == "<RevocationList Issuer=Test Authority Revoked=2>");
    const auto now = RevocationList::Clock::now();
    CHECK(list.lastUpdate() < now);
    CHECK(list.lastUpdate() > now - 10min);
    REQUIRE(list.nextUpdate());
    CHECK(*list.nextUpdate() > now + 50min);

    CHECK(RevocationList::load(list.dump()).dump() == list.dump());
    CHECK(RevocationList::loadPEM(list.dumpPEM()).dump() == list.dump());
    const std::string both = leaf().dumpPEM() + list.dumpPEM() + "a line of text\n" + empty.dumpPEM();
    const std::vector<RevocationList> lists = RevocationList::loadAllPEM(both);
    REQUIRE(lists.size() == 2);
    CHECK(lists[0].dump() == list.dump());
    CHECK(lists[1].dump() == empty.dump());
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("what is no revocation list is an error that says what it is") {
    const auto pem = [](const std::string& text) {
        return refusalOf<ssl::Error>([&] { RevocationList::loadPEM(text); });
    };
    CHECK(
        contains(pem(leaf().dumpPEM()), "holds no certificate revocation list: it holds a certificate, a private key"));
    CHECK(contains(pem(""), "PEM data is empty"));
    CHECK(contains(pem("garbage"), "This is not PEM data"));
    const std::string whole = revocationList(authority(), {}).dumpPEM();
    CHECK(contains(pem(whole.substr(0, whole.size() / 2)), "cannot be read"));
    CHECK(contains(pem(revocationList(authority(), {}).dump()), "looks like DER"));
    CHECK(contains(refusalOf<ssl::Error>([&] { RevocationList::load(whole); }),
                   "not a certificate revocation list in DER"));
    CHECK(contains(refusalOf<ssl::Error>([&] { RevocationList::load(leaf().dump()); }), "revocation list in DER"));
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("a client refuses a server whose certificate is on the list, and the server is told") {
    for (const TLSVersion version : kBothVersions) {
        CHECK(shake(clientWith({revocationList(authority(), {issued({})})}), serverOf(leaf(), version)).ok());
        const Handshake result = shake(clientWith({revocationList(authority(), {leaf()})}), serverOf(leaf(), version));
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->check<CertificateVerifyError>());
        CHECK(contains(result.clientText(), "certificate revoked (subject 'a leaf', depth 0)"));
        CHECK(contains(result.clientText(), "it must be replaced"));
        CHECK_FALSE(result.clientDone);
        CHECK(result.serverFailure->value<ssl::Error>()->alert() == kCertificateRevoked);
        CHECK(contains(result.serverText(), "our certificate was revoked"));
    }
}

TEST_CASE("a server refuses a client whose certificate is on the list, and the client is told") {
    const PrivateCertificate good = issued({});
    const PrivateCertificate bad = issued({});
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server(Parameters(leaf())
                                            .trustRoot(authority())
                                            .revocationLists({revocationList(authority(), {bad})})
                                            .lowerMaximumSecurityTo(version));
        CHECK(shake(optionsForClientTLS("example.com", authority(), good), server).ok());
        const Handshake result = shake(optionsForClientTLS("example.com", authority(), bad), server);
        REQUIRE(result.serverFailure);
        CHECK(result.serverFailure->check<CertificateVerifyError>());
        CHECK(contains(result.serverText(), "certificate revoked"));
        CHECK_FALSE(result.serverDone);
        REQUIRE(result.clientFailure);
        CHECK(result.clientFailure->value<ssl::Error>()->alert() == kCertificateRevoked);
    }
    const CertificateOptions old(
        Parameters(leaf()).verify(true).caCerts({authority()}).revocationLists({revocationList(authority(), {bad})}));
    CHECK(shake(optionsForClientTLS("example.com", authority(), good), old).ok());
    CHECK_FALSE(shake(optionsForClientTLS("example.com", authority(), bad), old).ok());
}

TEST_CASE("a list that is not there, out of date or of somebody else's hand fails the handshake") {
    const std::string missing = refused({revocationList(intermediate(), {})});
    CHECK(contains(missing, "unable to get certificate CRL"));
    CHECK(contains(missing, "revocationLists has no list of its issuer 'Test Authority'"));
    const std::string expired = refused({revocationList(authority(), {}, -48h, -1min)});
    CHECK(contains(expired, "CRL has expired"));
    CHECK(contains(expired, "the revocation list of its issuer 'Test Authority' is out of date: load a newer one"));
    const std::string premature = refused({revocationList(authority(), {}, 1h, 2h)});
    CHECK(contains(premature, "CRL is not yet valid"));
    CHECK(contains(premature, "is the clock right?"));
    const PrivateCertificate impostor = thirdKey().selfSignedCert(2, DistinguishedName{{"CN", "Test Authority"}});
    const std::string forged = refused({revocationList(impostor, {})});
    CHECK(contains(forged, "CRL signature failure"));
    CHECK(contains(forged, "another key"));
    // The newer of two lists counts.
    CHECK(shake(clientWith({revocationList(authority(), {}, -48h, -1min), revocationList(authority(), {})}),
                serverOf(leaf(), TLSVersion::TLSv1_3))
              .ok());
}

TEST_CASE("either the leaf alone or the whole chain is looked up") {
    const RevocationList root = revocationList(authority(), {});
    const RevocationList rootAgainst = revocationList(authority(), {intermediate()});
    const RevocationList between = revocationList(intermediate(), {});
    const RevocationList betweenAgainst = revocationList(intermediate(), {deep()});
    const auto accepts = [](const std::vector<RevocationList>& lists, RevocationScope scope) {
        return shake(clientWith(lists, scope), serverOf(deep(), TLSVersion::TLSv1_3)).ok();
    };
    CHECK(accepts({between}, RevocationScope::leaf));
    CHECK(accepts({between, rootAgainst}, RevocationScope::leaf));
    CHECK_FALSE(accepts({betweenAgainst}, RevocationScope::leaf));
    CHECK(accepts({between, root}, RevocationScope::wholeChain));
    CHECK_FALSE(accepts({betweenAgainst, root}, RevocationScope::wholeChain));
    const std::string above = refused({between, rootAgainst}, RevocationScope::wholeChain, deep());
    CHECK(contains(above, "certificate revoked (subject 'between', depth 1)"));
    CHECK(contains(refused({between}, RevocationScope::wholeChain, deep()),
                   "has no list of its issuer 'Test Authority'"));
}

TEST_CASE("lists hold for their recipe alone, though trust roots are shared") {
    const TrustRoot shared = authority();
    const auto make = [&](const Parameters& extra) {
        return optionsForClientTLS("example.com", shared, std::nullopt, {}, extra);
    };
    const ClientTLSOptions strict = make(Parameters().revocationLists({revocationList(authority(), {leaf()})}));
    const ClientTLSOptions renewed = make(Parameters().revocationLists({revocationList(authority(), {})}));
    const ClientTLSOptions plain = make(Parameters());
    const CertificateOptions server = serverOf(leaf(), TLSVersion::TLSv1_3);
    CHECK_FALSE(shake(strict, server).ok());
    CHECK(shake(plain, server).ok());
    CHECK(shake(renewed, server).ok());
    CHECK_FALSE(shake(*strict.share(), server).ok());
}

TEST_CASE("a newer list ends sessions that were made under an older one, though the ticket keys are shared") {
    const PrivateCertificate own = issued({});
    const TicketKeys keys;
    const auto serverWith = [&](const RevocationList& list, TLSVersion version) {
        return CertificateOptions(Parameters(leaf())
                                      .trustRoot(authority())
                                      .revocationLists({list})
                                      .ticketKeys(keys)
                                      .lowerMaximumSecurityTo(version));
    };
    const RevocationList older = revocationList(authority(), {});
    const RevocationList newer = revocationList(authority(), {own});
    for (const TLSVersion version : kBothVersions) {
        const ClientTLSOptions client =
            optionsForClientTLS("example.com", authority(), own, {}, Parameters().enableSessionTickets(true));
        CHECK_FALSE(joined(client, serverWith(older, version)));
        CHECK(joined(client, serverWith(older, version)));
        const Handshake later = shake(client, serverWith(newer, version));
        REQUIRE(later.serverFailure);
        CHECK(later.serverFailure->check<CertificateVerifyError>());
    }
}

TEST_CASE("a resumed session has no staple, and needs none") {
    OCSPStaple staple(leaf(), authority());
    staple.set(ocspResponse(leaf(), authority()));
    for (const TLSVersion version : kBothVersions) {
        const CertificateOptions server(
            Parameters(leaf()).ocspStaple(staple).enableSessionTickets(true).lowerMaximumSecurityTo(version));
        const ClientTLSOptions client = optionsForClientTLS("example.com", authority(), std::nullopt, {},
                                                            Parameters()
                                                                .requestOCSP(OCSPPolicy::required)
                                                                .pinnedPublicKeys({leaf().publicKeyPin()})
                                                                .enableSessions(true));
        CHECK_FALSE(joined(client, server));
        CHECK(joined(client, server));
    }
}

TEST_CASE("lists without verification, and no list at all, are errors at construction") {
    const RevocationList list = revocationList(authority(), {});
    CHECK_THROWS_AS(Parameters().revocationLists({}), ValueError);
    CHECK_THROWS_AS(CertificateOptions(Parameters(leaf()).revocationLists({list})), TypeError);
    CHECK_THROWS_AS(insecureOptionsForClientTLS("", {}, Parameters().revocationLists({list})), TypeError);
}
