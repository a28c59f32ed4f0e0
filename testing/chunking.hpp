#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/testing/results.hpp>

/// The chunking law: what a protocol does must not depend on how the octets that it gets are cut.
namespace torsion::testing {

/// What happened, in order.
class EventRecorder {
public:
    void event(std::string text) { events_.push_back(std::move(text)); }

    /// Octets of a stream: what comes in a row under one @p name is one event.
    void data(const std::string& name, BytesView octets);

    const std::vector<std::string>& events() const noexcept { return events_; }

private:
    std::vector<std::string> events_;
    std::string streamName_;
    std::size_t streamEvent_ = 0;
};

/// A protocol did different things for different cuts. The message has both, the cut, and the seed.
class ChunkingViolation : public FailTest {
public:
    explicit ChunkingViolation(const std::string& detail) : FailTest("The chunking law does not hold: " + detail) {}
};

struct ChunkingOptions {
    /// Inputs of up to this many octets are cut in every way there is, 2^(n-1).
    std::size_t everyCutUpTo = 12;
    /// Longer ones: as one, octet by octet, in two at each place (up to so many), ...
    std::size_t cutsInTwo = 4096;
    /// ... and so many random ways, from this seed.
    std::size_t randomCuts = 200;
    std::uint32_t seed = 1;
};

/// Feeds @p pieces to something fresh. @return what happened
using ChunkingSubject = std::function<std::vector<std::string>(const std::vector<BytesView>& pieces)>;

/// Runs @p subject with @p input as one piece and then in many cuts. @throws ChunkingViolation at the first difference
void checkChunkingLaw(BytesView input, const ChunkingSubject& subject, const ChunkingOptions& options = {});

/// Makes a protocol that records what its callbacks get.
using RecordingProtocol = std::function<std::shared_ptr<Protocol>(std::shared_ptr<EventRecorder> recorder)>;

/// The same for a protocol over a StringTransport. Compared are what it records, what it writes, whether it closes,
/// and how. It gets nothing more after it has closed, or while it has paused the transport.
void checkProtocolChunkingLaw(BytesView input, const RecordingProtocol& make, const ChunkingOptions& options = {});

}  // namespace torsion::testing
