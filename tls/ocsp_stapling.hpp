#pragma once

// Private to the tls folder.

#include <torsion/tls/ocsp_staple.hpp>

struct ssl_ctx_st;

namespace torsion::ssl {

/// Has @p context, a server's, send what @p staple holds to clients that ask.
void stapleWith(ssl_ctx_st* context, const OCSPStaple& staple);

}  // namespace torsion::ssl
