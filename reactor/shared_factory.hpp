#pragma once

#include <memory>

#include <torsion/core/factory.hpp>

namespace torsion {

class Reactor;

/// One factory for all reactors of a pool, in place of one for each. Wrapping it is the caller's promise that it may be
/// used by all their threads at once:
///
/// - buildProtocol, acceptableProtocols and logPrefix are called by several threads at the same time; so are the copy
///   constructors of what forProtocol was given.
/// - startFactory is called once, by the first port that listens with it, and stopFactory once, by the last one to
///   stop, each on the thread of any of the reactors, and never at the same time. numPorts() is 1 in between.
/// - Each protocol belongs to the reactor that built it. What a protocol does with its factory, it does on that thread.
///
/// A handle: copies share the factory and the count of those that use it. Wrap a factory once, and use it nowhere else.
class SharedFactory {
public:
    /// @throws ValueError for null
    /// @throws TypeError for a WrappingFactory, which keeps a list of its protocols and therefore serves one thread:
    /// make one for each reactor, with the shared one inside
    explicit SharedFactory(std::shared_ptr<Factory> factory);

    const std::shared_ptr<Factory>& factory() const noexcept;

    /// A factory for one reactor. Its protocols' factory() is the shared one.
    std::shared_ptr<Factory> operator()(Reactor& reactor) const;

private:
    struct State;
    class ForOneReactor;

    std::shared_ptr<State> state_;
};

}  // namespace torsion
