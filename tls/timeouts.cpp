#include <torsion/tls/timeouts.hpp>

#include <string>

#include <torsion/core/error.hpp>

namespace torsion::ssl {

Duration checkedTimeout(Duration timeout, const char* what) {
    if (timeout <= Duration::zero()) throw ValueError(std::string("The ") + what + " must be longer than zero");
    return timeout;
}

}  // namespace torsion::ssl
