#include <torsion/reactor/shared_factory.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/protocols/wrapping_factory.hpp>

namespace torsion {

struct SharedFactory::State {
    explicit State(std::shared_ptr<Factory> shared) : factory(std::move(shared)) {}
    const std::shared_ptr<Factory> factory;
    std::mutex mutex;
    std::size_t users = 0;
};

/// Counts its reactor among the users, for a factory itself counts without a lock.
class SharedFactory::ForOneReactor final : public Factory {
public:
    explicit ForOneReactor(std::shared_ptr<State> state) : state_(std::move(state)) { noisy = false; }

    std::shared_ptr<Protocol> buildProtocol(const Address& address) override { return state_->factory->build(address); }

    void startFactory() override {
        const std::lock_guard lock(state_->mutex);
        if (state_->users == 0) state_->factory->doStart();
        ++state_->users;  // not if that throws
    }
    void stopFactory() override {
        const std::lock_guard lock(state_->mutex);
        if (--state_->users == 0) state_->factory->doStop();
    }

    std::vector<std::string> acceptableProtocols() const override { return state_->factory->acceptableProtocols(); }
    std::string logPrefix() const override { return state_->factory->logPrefix(); }

private:
    const std::shared_ptr<State> state_;
};

SharedFactory::SharedFactory(std::shared_ptr<Factory> factory) : state_(std::make_shared<State>(std::move(factory))) {
    if (!state_->factory) throw ValueError("SharedFactory needs a factory");
    if (const auto* const wrapping = dynamic_cast<const WrappingFactory*>(state_->factory.get()); wrapping != nullptr) {
        throw TypeError(typeName(typeid(*wrapping)) +
                        " is a WrappingFactory, which serves one reactor: make one for each reactor of the pool");
    }
}

const std::shared_ptr<Factory>& SharedFactory::factory() const noexcept { return state_->factory; }

std::shared_ptr<Factory> SharedFactory::operator()(Reactor&) const { return std::make_shared<ForOneReactor>(state_); }

}  // namespace torsion
