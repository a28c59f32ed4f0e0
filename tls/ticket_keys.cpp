#include <torsion/tls/ticket_keys.hpp>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <torsion/core/error.hpp>
#include <torsion/tls/context_state.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

constexpr std::size_t kNameSize = 16;
constexpr std::size_t kSecretSize = 32;

/// Wiped when it goes; it stays where it was made, so that no copy is forgotten.
struct Key {
    Key() = default;
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    ~Key() { OPENSSL_cleanse(octets.data(), octets.size()); }

    const unsigned char* name() const noexcept { return octets.data(); }
    const unsigned char* cipherKey() const noexcept { return octets.data() + kNameSize; }
    unsigned char* macKey() noexcept { return octets.data() + kNameSize + kSecretSize; }
    bool isNamed(const unsigned char* other) const noexcept { return std::equal(name(), name() + kNameSize, other); }

    std::array<unsigned char, TicketKeys::kKeySize> octets{};
    Duration made{};
    Duration replaced{};
};

using Keys = std::vector<std::unique_ptr<Key>>;

std::unique_ptr<Key> randomKey(Duration now) {
    auto key = std::make_unique<Key>();
    const int size = static_cast<int>(key->octets.size());
    if (callOpenSSL([&] { return RAND_priv_bytes(key->octets.data(), size); }) != 1) {
        throwFromQueue("There is no randomness for a session ticket key");
    }
    key->made = now;
    return key;
}

Keys keysOf(const std::vector<Bytes>& material) {
    if (material.empty() || material.size() > TicketKeys::kMostKeys) {
        throw ValueError("There must be 1 to " + std::to_string(TicketKeys::kMostKeys) + " session ticket keys, not " +
                         std::to_string(material.size()));
    }
    Keys keys;
    for (const Bytes& octets : material) {
        if (octets.size() != TicketKeys::kKeySize) {
            throw ValueError("A session ticket key has " + std::to_string(TicketKeys::kKeySize) + " octets, not " +
                             std::to_string(octets.size()));
        }
        auto key = std::make_unique<Key>();
        std::copy(octets.begin(), octets.end(), key->octets.begin());
        for (const auto& other : keys) {
            if (other->isNamed(key->name())) {
                throw ValueError("Two session ticket keys begin with the same 16 octets, which are their name");
            }
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

Duration steadyTime() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

struct TicketKeys::State {
    std::mutex mutex;
    Clock clock;
    Keys keys;           // the newest first, which seals
    bool given = false;  // by the caller: no age counts
    Duration interval = kDefaultRotationInterval;
    Duration lifetime = kDefaultKeyLifetime;

    // The rest is called with the mutex held.

    /// @param replaced when the key that sealed so far stopped doing so
    void add(Duration now, Duration replaced) {
        auto key = randomKey(now);
        keys.insert(keys.begin(), std::move(key));
        if (keys.size() > 1) keys[1]->replaced = replaced;
        if (keys.size() > kMostKeys) keys.resize(kMostKeys);
    }

    /// Does what age demands.
    void age() {
        if (given) return;
        const Duration now = clock();
        const Duration due = saturatedSum(keys.front()->made, interval);
        if (now >= due) add(now, due);  // nothing was sealed with it since, or this would have come earlier
        keys.erase(std::remove_if(keys.begin() + 1, keys.end(),
                                  [&](const auto& key) { return now >= saturatedSum(key->replaced, lifetime); }),
                   keys.end());
    }
};

TicketKeys::TicketKeys() : TicketKeys(Clock(steadyTime)) {}

TicketKeys::TicketKeys(Clock clock) : state_(std::make_shared<State>()) {
    state_->clock = std::move(clock);
    const Duration now = state_->clock();
    state_->add(now, now);
}

TicketKeys TicketKeys::fromMaterial(const std::vector<Bytes>& material) {
    auto state = std::make_shared<State>();
    state->clock = steadyTime;
    state->keys = keysOf(material);
    state->given = true;
    return TicketKeys(std::move(state));
}

void TicketKeys::setRotationInterval(Duration interval) {
    if (interval <= Duration::zero()) {
        throw ValueError("The rotation interval of session ticket keys must be longer than zero");
    }
    const std::lock_guard lock(state_->mutex);
    state_->interval = interval;
}

void TicketKeys::setKeyLifetime(Duration lifetime) {
    if (lifetime < Duration::zero()) throw ValueError("The lifetime of session ticket keys must not be negative");
    const std::lock_guard lock(state_->mutex);
    state_->lifetime = lifetime;
}

void TicketKeys::rotate() {
    const std::lock_guard lock(state_->mutex);
    if (state_->given) {
        throw RuntimeError(
            "These session ticket keys were given by the caller: a random one would be known to this process only; use "
            "setKeys");
    }
    state_->age();
    const Duration now = state_->clock();
    state_->add(now, now);
    state_->age();  // a lifetime of zero ends the one before at once
}

void TicketKeys::setKeys(const std::vector<Bytes>& material) {
    Keys keys = keysOf(material);
    const std::lock_guard lock(state_->mutex);
    state_->keys.swap(keys);
    state_->given = true;
}

std::size_t TicketKeys::size() const {
    const std::lock_guard lock(state_->mutex);
    state_->age();
    return state_->keys.size();
}

/// Answers OpenSSL's callback.
struct TicketKeyCallback {
    // OpenSSL's codes.
    static constexpr int kFailed = -1;
    static constexpr int kUnknown = 0;
    static constexpr int kUse = 1;
    static constexpr int kUseAndRenew = 2;

    static bool setMac(EVP_MAC_CTX* mac, Key& key) {
        std::string digest = "SHA256";
        const std::array<OSSL_PARAM, 3> parameters = {
            OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.macKey(), kSecretSize),
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
        return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
    }

    /// Looked up by name once: OpenSSL would do it for each ticket.
    static const EVP_CIPHER* cipherOfTickets() noexcept {
        static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
        return cipher != nullptr ? cipher : EVP_aes_256_cbc();
    }

    static int seal(TicketKeys::State& state, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac) {
        Key& key = *state.keys.front();
        std::copy(key.name(), key.name() + kNameSize, name);
        const bool ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipherOfTickets())) == 1 &&
                           EVP_EncryptInit_ex2(cipher, cipherOfTickets(), key.cipherKey(), iv, nullptr) == 1 &&
                           setMac(mac, key);
        return ready ? kUse : kFailed;
    }

    static int open(TicketKeys::State& state, bool renewAlways, const unsigned char* name, const unsigned char* iv,
                    EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
        for (const auto& key : state.keys) {
            if (!key->isNamed(name)) continue;
            const bool ready =
                setMac(mac, *key) && EVP_DecryptInit_ex2(cipher, cipherOfTickets(), key->cipherKey(), iv, nullptr) == 1;
            if (!ready) return kFailed;
            return key == state.keys.front() && !renewAlways ? kUse : kUseAndRenew;
        }
        return kUnknown;
    }

    static int call(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    int sealing) noexcept {
        try {
            const ContextState* context = ContextState::find(SSL_get_SSL_CTX(connection));
            if (context == nullptr || !context->ticketKeys) return sealing != 0 ? kFailed : kUnknown;
            TicketKeys::State& state = *context->ticketKeys->state_;
            const std::lock_guard lock(state.mutex);
            state.age();
            // A ticket of TLS 1.3 serves once: without a new one the client would be at its end (RFC 8446, C.4).
            const bool once = SSL_version(connection) >= TLS1_3_VERSION;
            return sealing != 0 ? seal(state, name, iv, cipher, mac) : open(state, once, name, iv, cipher, mac);
        } catch (...) {  // nothing may be thrown through OpenSSL (TLS-19); a ticket that is not opened harms nobody
            return sealing != 0 ? kFailed : kUnknown;
        }
    }
};

int ticketKey(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              int sealing) noexcept {
    return TicketKeyCallback::call(connection, name, iv, cipher, mac, sealing);
}

}  // namespace torsion::ssl
