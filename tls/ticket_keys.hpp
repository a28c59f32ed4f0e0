#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/core/duration.hpp>

namespace torsion::ssl {

/// The keys with which a server seals session tickets (RFC 5077, 4): AES-256-CBC and HMAC-SHA256, with a new IV for
/// each ticket. Who has a key can read the connections of TLS 1.2 that were resumed under it, so that keys should not
/// live long: by default a new one is made every hour, and one that was replaced still opens tickets for two hours.
///
/// A handle: copies share the keys. Several recipes, reactors and threads may use the same ones; every call is safe
/// from any thread. The keys are wiped from memory with the last handle.
///
///     TicketKeys keys;
///     CertificateOptions(CertificateOptions::Parameters(certificate).ticketKeys(keys))
///
/// Recipes that share keys accept each other's tickets only if they agree on the certificate that they show and on
/// whom they demand, so that a session never gets round the verification of a stricter recipe.
class TicketKeys {
public:
    /// The time on a clock that does not go back, since whenever.
    using Clock = std::function<Duration()>;

    static constexpr std::size_t kKeySize = 80;   ///< 16 octets of name, 32 for AES-256, 32 for HMAC-SHA256
    static constexpr std::size_t kMostKeys = 16;  ///< the oldest go when there are more
    static constexpr Duration kDefaultRotationInterval = std::chrono::hours(1);
    static constexpr Duration kDefaultKeyLifetime = std::chrono::hours(2);  ///< that of a session by default

    /// One random key, replaced by age.
    TicketKeys();
    explicit TicketKeys(Clock clock);

    /// Keys that the caller distributes, so that several processes accept each other's tickets. They have no age:
    /// the caller gives others with setKeys.
    /// @param material kKeySize random octets a key; the first one seals, all open
    /// @throws ValueError for none, more than kMostKeys, another size, or two keys of the same name
    static TicketKeys fromMaterial(const std::vector<Bytes>& material);

    /// How long a key seals. Duration::max() is for ever. @throws ValueError unless positive
    void setRotationInterval(Duration interval);

    /// How long a key that was replaced still opens tickets; a ticket under it is renewed. As long as sessions live
    /// (Parameters::sessionTimeout), or some tickets end early, which costs a full handshake. @throws ValueError if
    /// negative
    void setKeyLifetime(Duration lifetime);

    /// Makes a new key, whatever the age of the one before.
    /// @throws RuntimeError if the caller distributes the keys
    void rotate();

    /// Replaces all keys with the caller's, as fromMaterial does. @throws ValueError as there; nothing is changed then
    void setKeys(const std::vector<Bytes>& material);

    /// How many keys open tickets at present.
    std::size_t size() const;

private:
    struct State;
    friend struct TicketKeyCallback;
    explicit TicketKeys(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    std::shared_ptr<State> state_;
};

}  // namespace torsion::ssl
