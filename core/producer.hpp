#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include <torsion/core/bytes.hpp>

namespace torsion {

/// Somebody who makes data for a Consumer (IPushProducer, and with @ref PullProducer IPullProducer).
///
/// A *push* producer writes when it likes, until pauseProducing, and again from resumeProducing on. Both may come from
/// inside its own write (PC-4), and pauseProducing more than once in a row (PC-3).
class Producer {
public:
    virtual ~Producer() = default;
    /// No more data for now: the consumer's buffer is full.
    virtual void pauseProducing() = 0;
    /// Go on. To a pull producer: write once.
    virtual void resumeProducing() = 0;
    /// No more data ever: the consumer is gone. Comes once.
    virtual void stopProducing() = 0;
};

using PushProducer = Producer;

/// Writes one piece each time resumeProducing asks; never paused.
class PullProducer : public Producer {
public:
    void pauseProducing() final {}
};

/// Somebody who takes data (IConsumer).
class Consumer {
public:
    virtual ~Consumer() = default;

    /// Takes a copy of @p data, or sends it.
    void write(BytesView data) { writeView(data); }

    /// Takes @p data over without copying it.
    template <std::same_as<Bytes> B>
    void write(B&& data) {
        writeOwned(std::forward<B>(data));
    }

    /// Registers the one who writes, so that he is told to pause while too much waits.
    /// @param streaming true for a push producer, false for a pull producer, which is asked for its first piece from
    /// here
    /// @throws RuntimeError if there is one already (PC-1). A lost consumer calls stopProducing instead.
    virtual void registerProducer(std::shared_ptr<Producer> producer, bool streaming) = 0;

    /// The producer has no more data. Harmless if there is none.
    virtual void unregisterProducer() = 0;

protected:
    virtual void writeView(BytesView data) = 0;
    virtual void writeOwned(Bytes&& data) = 0;
};

}  // namespace torsion
