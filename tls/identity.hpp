#pragma once

// Private to the tls folder.

#include <string>
#include <string_view>

struct X509_VERIFY_PARAM_st;

namespace torsion::ssl {

/// A name that somebody can be known by: a DNS name or an IP address, in the one form in which we use it.
struct Identity {
    std::string name;  ///< lower case, as A-labels, without a final dot; an address without brackets and zone
    bool isAddress = false;

    /// The identity that a client demands of a server. Labels beyond ASCII become A-labels (see idna.hpp).
    /// @throws ValueError that says what is wrong with @p hostname
    static Identity parse(std::string_view hostname);

    /// The same for a name that goes into a certificate, where the first label may be "*".
    static Identity parsePattern(std::string_view name);

    /// Has the handshake check the peer's certificate for this identity (RFC 9525; RFC 6125 without the common name).
    void require(X509_VERIFY_PARAM_st* parameters) const;
};

}  // namespace torsion::ssl
