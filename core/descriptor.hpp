#pragma once

#include <memory>
#include <typeinfo>

#include <torsion/core/failure.hpp>

namespace torsion {

class Protocol;

/// Somebody who wants to know what a file descriptor is ready for (IReadWriteDescriptor).
class DescriptorListener {
public:
    /// The descriptor can be read, or has an end or error to tell.
    virtual void readable() = 0;
    /// The descriptor can be written.
    virtual void writable() = 0;
    /// The reactor shuts down or dies: close, and tell whom it concerns (CL-3). The watch is useless afterwards.
    virtual void reactorGone(const Failure& reason) = 0;
    /// The type to name in a diagnosis; a connection gives its protocol's.
    virtual const std::type_info& servedType() const noexcept { return typeid(*this); }
    /// Whether readable() and writable() mark the turn's beginning themselves (Turn::mark). Those do that have the Turn
    /// at hand, and are called for each message: so the reactor need not look at each.
    virtual bool marksTurns() const noexcept { return false; }
    /// The outermost protocol of a connection that a peer began; null for everything else.
    virtual std::shared_ptr<Protocol> acceptedProtocol() const { return nullptr; }

protected:
    ~DescriptorListener() = default;
};

/// The reactor's interest in one descriptor; its end is the end of the interest. Destroy it before closing the
/// descriptor.
class DescriptorWatch {
public:
    virtual ~DescriptorWatch() = default;
    virtual void setReading(bool wanted) = 0;
    virtual void setWriting(bool wanted) = 0;
};

/// Readiness of descriptors (IReactorFDSet). Level-triggered. Exceptions from a listener are logged, and it is told
/// reactorGone with them.
class ReactorFDSet {
public:
    virtual ~ReactorFDSet() = default;

    /// Watches @p descriptor, for nothing yet; -1 is for those who have none now, and only want to hear reactorGone.
    /// @p listener must outlive the watch. @throws RuntimeError while the reactor is being destroyed
    virtual std::unique_ptr<DescriptorWatch> watch(int descriptor, DescriptorListener& listener) = 0;
};

}  // namespace torsion
