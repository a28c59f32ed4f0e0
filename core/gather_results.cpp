#include <torsion/core/gather_results.hpp>

#include <torsion/core/log.hpp>

namespace torsion::detail {

void Gathering::cancel() {
    cancelled_ = true;
    for (std::size_t i = 0; i < children_.size(); ++i) {
        const CoreRef child(children_[i]);  // an earlier cancellation may have ended this one
        if (!child) continue;
        try {
            child->cancel();
        } catch (...) {
            log::err(Failure::current(), "Exception raised from user supplied canceller");
        }
    }
}

}  // namespace torsion::detail
