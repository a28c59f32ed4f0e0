#include <torsion/tls/context_state.hpp>

#include <new>

namespace torsion::ssl {

namespace {

void destroyState(void*, void* state, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<ContextState*>(state); }

int stateIndex() noexcept {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, destroyState);
    return index;
}

}  // namespace

const ContextState* ContextState::find(const SSL_CTX* context) noexcept {
    return static_cast<const ContextState*>(SSL_CTX_get_ex_data(context, stateIndex()));
}

ContextState& ContextState::of(SSL_CTX* context) {
    if (auto* state = static_cast<ContextState*>(SSL_CTX_get_ex_data(context, stateIndex()))) return *state;
    auto state = std::make_unique<ContextState>();
    if (SSL_CTX_set_ex_data(context, stateIndex(), state.get()) != 1) throw std::bad_alloc();
    return *state.release();
}

}  // namespace torsion::ssl
