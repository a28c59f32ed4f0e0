#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/distinguished_name.hpp>

struct X509_crl_st;  // OpenSSL's X509_CRL

namespace torsion::ssl {

/// Whose revocation is looked for in the lists.
enum class RevocationScope {
    leaf,        ///< the peer's own certificate's; a list of its issuer must be there
    wholeChain,  ///< that of every certificate up to the root; a list of each issuer must be there
};

/// A certificate revocation list, CRL (RFC 5280, 5): what an authority says on which of its certificates are not to be
/// trusted any more. A value that is cheap to copy: copies share one immutable object, also across threads.
///
/// A list that is used after its nextUpdate fails every handshake, since an attacker might hold a newer one back. A
/// recipe is immutable, so newer lists come with a new recipe, which new connections are given.
class RevocationList {
public:
    using Clock = std::chrono::system_clock;

    /// Reads DER. @throws ssl::Error if that is no list
    static RevocationList load(BytesView der);

    /// Reads the first list of @p pem; whatever else is there is ignored.
    /// @throws ssl::Error that says what was found instead
    static RevocationList loadPEM(BytesView pem);

    /// Reads all lists of @p pem, in order. @throws ssl::Error if there is none
    static std::vector<RevocationList> loadAllPEM(BytesView pem);

    /// Shares OpenSSL's object, which must not be changed any more.
    static RevocationList fromNative(X509_crl_st* native);

    DistinguishedName getIssuer() const;

    /// When it was made.
    Clock::time_point lastUpdate() const;

    /// When a newer one will be there, after which this one is of no use; none if it does not say.
    std::optional<Clock::time_point> nextUpdate() const;

    /// How many certificates it revokes.
    std::size_t size() const noexcept;

    /// Whether it revokes @p certificate, its issuer being this list's. Does not verify who signed the list: the
    /// handshake does.
    bool revokes(const Certificate& certificate) const;

    Bytes dump() const;  ///< DER
    std::string dumpPEM() const;

    /// "<RevocationList Issuer=Example CA Revoked=3>"
    std::string str() const;

    X509_crl_st* native() const noexcept { return native_.get(); }

private:
    explicit RevocationList(std::shared_ptr<X509_crl_st> native) noexcept : native_(std::move(native)) {}

    std::shared_ptr<X509_crl_st> native_;
};

}  // namespace torsion::ssl
