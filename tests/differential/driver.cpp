/// One end of many connections, on torsion. Commands come on stdin, traces go to stdout: see README.md. The Python
/// program beside it, twisted_driver.py, does the same on Twisted; read both side by side.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <torsion/core/abilities.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/file.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/errors.hpp>

using namespace torsion;

namespace {

constexpr std::size_t kPeriod = 65521;  // the highest prime below 65536: no piece of a stream looks like another

/// What the action `throw` throws.
class ScriptError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

std::size_t number(const std::string& text) { return static_cast<std::size_t>(std::stoul(text)); }

/// "a=b" as a and b; b is empty without the separator.
std::pair<std::string, std::string> divide(const std::string& text, char separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string::npos) return {text, ""};
    return {text.substr(0, at), text.substr(at + 1)};
}

/// What one command asks of one end.
struct End {
    struct Rule {
        std::string trigger;
        std::vector<std::string> actions;
    };

    explicit End(const std::string& line) {
        const std::vector<std::string> words = split(line, ' ');
        verb = words.at(0);
        name = words.at(1);
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto [key, value] = divide(words[i], '=');
            if (key == "on") {
                const auto [trigger, actions] = divide(value, '/');
                rules.push_back(Rule{trigger, split(actions, ',')});
            } else {
                options[key] = value;
            }
        }
    }

    std::string get(const std::string& key) const {
        const auto found = options.find(key);
        return found == options.end() ? std::string() : found->second;
    }

    bool connects() const { return verb == "connect"; }

    std::string verb, name;
    std::map<std::string, std::string> options;
    std::vector<Rule> rules;
};

/// Makes the TLS options that an end asks for, once for all ends that ask for the same.
class Recipes {
public:
    explicit Recipes(std::string folder) : folder_(std::move(folder)) {}

    const ssl::ContextFactory& get(const End& end, bool client) {
        std::string wanted = client ? "client" : "server";
        for (const char* key : {"cert", "ca", "host", "alpn", "version"}) wanted += "/" + end.get(key);
        std::shared_ptr<const ssl::ContextFactory>& recipe = known_[wanted];
        if (!recipe) recipe = make(end, client);
        return *recipe;
    }

private:
    std::string read(const std::string& name) const { return readFile(folder_ + "/" + name + ".pem"); }

    std::shared_ptr<const ssl::ContextFactory> make(const End& end, bool client) const {
        std::optional<ssl::PrivateCertificate> own;
        if (!end.get("cert").empty()) own = ssl::PrivateCertificate::loadPEM(read(end.get("cert")));
        std::optional<ssl::Certificate> authority;
        if (!end.get("ca").empty()) authority = ssl::Certificate::loadPEM(read(end.get("ca")));
        const std::vector<std::string> protocols = split(end.get("alpn"), '+');
        if (client) {
            ssl::CertificateOptions::Parameters extra;
            pin(extra, end.get("version"));
            return ssl::optionsForClientTLS(end.get("host"), authority.value(), own, protocols, extra).share();
        }
        ssl::CertificateOptions::Parameters parameters(own.value());
        if (authority) parameters.trustRoot(*authority);
        parameters.acceptableProtocols(protocols);
        pin(parameters, end.get("version"));
        return ssl::CertificateOptions(parameters).share();
    }

    static void pin(ssl::CertificateOptions::Parameters& parameters, const std::string& version) {
        if (version == "1.2") parameters.lowerMaximumSecurityTo(ssl::TLSVersion::TLSv1_2);
        if (version == "1.3") parameters.raiseMinimumTo(ssl::TLSVersion::TLSv1_3);
    }

    std::string folder_;
    std::map<std::string, std::shared_ptr<const ssl::ContextFactory>> known_;
};

/// What all ends of this process share.
struct Driver {
    explicit Driver(std::string folder) : recipes(std::move(folder)) {}

    const Bytes& pattern(std::size_t salt) {
        Bytes& octets = patterns_[salt];
        if (octets.empty()) {
            octets.reserve(kPeriod);
            for (std::size_t i = 0; i < kPeriod; ++i)
                octets.push_back(static_cast<char>((i * i * 7 + i * 13 + salt) & 255U));
        }
        return octets;
    }

    LibeventReactor reactor;
    Recipes recipes;

private:
    std::map<std::size_t, Bytes> patterns_;
};

void say(const std::string& line) {
    std::fputs((line + "\n").c_str(), stdout);
    std::fflush(stdout);
}

/// What a producer needs of its script.
class Sender {
public:
    virtual ~Sender() = default;
    virtual void send(std::size_t size) = 0;
    virtual void unregister() = 0;
    virtual void stopped() = 0;
};

/// Writes its pieces whenever it may, then unregisters. One that holds stays registered and idle.
class Push : public Producer {
public:
    Push(Sender& sender, std::size_t pieces, std::size_t size, bool holds)
        : sender_(sender), left_(pieces), size_(size), done_(holds) {}

    void go() {
        if (writing_ || done_) return;
        writing_ = true;
        while (left_ > 0 && !paused_) {
            --left_;
            sender_.send(size_);
        }
        writing_ = false;
        if (left_ > 0 || done_) return;
        done_ = true;
        sender_.unregister();
    }
    void pauseProducing() override { paused_ = true; }
    void resumeProducing() override {
        paused_ = false;
        go();
    }
    void stopProducing() override {
        left_ = 0;
        done_ = true;
        sender_.stopped();
    }

private:
    Sender& sender_;
    std::size_t left_;
    std::size_t size_;
    bool done_;
    bool paused_ = false;
    bool writing_ = false;
};

/// Writes a piece each time it is asked, then unregisters.
class Pull : public PullProducer {
public:
    Pull(Sender& sender, std::size_t pieces, std::size_t size) : sender_(sender), left_(pieces), size_(size) {}
    void resumeProducing() override {
        if (left_ == 0) return;
        --left_;
        sender_.send(size_);
        if (left_ == 0) sender_.unregister();
    }
    void stopProducing() override {
        left_ = 0;
        sender_.stopped();
    }

private:
    Sender& sender_;
    std::size_t left_;
    std::size_t size_;
};

/// Twisted's name for a reason's class; those that Twisted has not count as what they derive from.
std::string nameOf(const Failure& reason) {
    if (reason.check<TLSTruncated>()) return "ConnectionLost";
    if (reason.check<ssl::CertificateVerifyError>()) return "Error";
    const std::string name = reason.typeName();
    return name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
}

std::string commonName(const ssl::Certificate* certificate) {
    if (certificate == nullptr) return "-";
    std::string name = certificate->getSubject().get("CN").value_or("-");
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
}

/// Does what the rules of its end say, and notes what happens to it.
class Script : public Protocol, public HandshakeListener, private Sender {
public:
    Script(const End& end, Driver& driver)
        : end_(end),
          driver_(driver),
          rules_(end.rules),
          pattern_(driver.pattern(end.get("salt").empty() ? 0 : number(end.get("salt")))) {}

    void connectionMade() override {
        note("made");
        fire("made");
    }

    void handshakeCompleted() override {
        auto& ssl = transport().as<SSLTransport>();
        secure_ = true;
        note("handshake(" + ssl.tlsVersion() + "," + ssl.negotiatedProtocol().value_or("-") + "," +
             commonName(ssl.getPeerCertificate().get()) + ")");
        fire("handshake");
    }

    void dataReceived(BytesView data) override {
        if (closed_) {
            note("late");
            return;
        }
        if (events_.back() != "data") note("data");
        if (!end_.get("stop").empty()) data = data.substr(0, number(end_.get("stop")) - received_);
        received_ += data.size();
        for (const char octet : data) {  // Adler-32 (RFC 1950)
            low_ = (low_ + static_cast<unsigned char>(octet)) % kPeriod;
            high_ = (high_ + low_) % kPeriod;
        }
        for (;;) {
            const auto due = std::find_if(rules_.begin(), rules_.end(), [&](const End::Rule& rule) {
                return rule.trigger.starts_with("recv") && number(rule.trigger.substr(4)) <= received_;
            });
            if (due == rules_.end()) return;
            run(due);
        }
    }

    void connectionLost(const Failure& reason) override {
        std::string suffix;
        if (secure_) {
            const auto certificate = transport().as<SSLTransport>().getPeerCertificate();
            if (certificate) suffix = "," + commonName(certificate.get());
        }
        note("lost(" + nameOf(reason) + suffix + ")");
        driver_.reactor.callLater(Duration::zero(), [this, keep = shared_from_this()] { report(); });
        fire("lost");
    }

protected:
    void note(const std::string& event) { events_.push_back(event); }

    void fire(const std::string& trigger) {
        const auto due =
            std::find_if(rules_.begin(), rules_.end(), [&](const End::Rule& rule) { return rule.trigger == trigger; });
        if (due != rules_.end()) run(due);
    }

private:
    void run(std::vector<End::Rule>::iterator rule) {
        const std::vector<std::string> actions = rule->actions;
        rules_.erase(rule);
        perform(actions);
    }

    void perform(const std::vector<std::string>& actions) {
        for (std::size_t i = 0; i < actions.size(); ++i) {
            const auto [name, argument] = divide(actions[i], ':');
            if (name == "turn") {
                const auto next = actions.begin() + static_cast<std::ptrdiff_t>(i) + 1;
                const std::vector<std::string> rest(next, actions.end());
                driver_.reactor.callLater(Duration::zero(), [this, keep = shared_from_this(), rest] { perform(rest); });
                return;
            }
            act(name, argument);
        }
    }

    void act(const std::string& name, const std::string& argument) {
        const std::vector<std::string> arguments = split(argument, 'x');
        if (name == "w") {
            send(number(argument));
        } else if (name == "q") {
            std::vector<Bytes> pieces(number(arguments.at(0)));
            for (Bytes& piece : pieces) piece = take(number(arguments.at(1)));
            transport().writeSequence(std::vector<BytesView>(pieces.begin(), pieces.end()));
        } else if (name == "push" || name == "hold") {
            const bool holds = name == "hold";
            const auto push = std::make_shared<Push>(static_cast<Sender&>(*this), holds ? 0 : number(arguments.at(0)),
                                                     holds ? 0 : number(arguments.at(1)), holds);
            transport().registerProducer(push, true);
            push->go();
        } else if (name == "pull") {
            transport().registerProducer(
                std::make_shared<Pull>(static_cast<Sender&>(*this), number(arguments.at(0)), number(arguments.at(1))),
                false);
        } else if (name == "unreg") {
            unregister();
        } else if (name == "http") {
            transport().write("HTTP/1.0 400 Bad Request\r\n\r\n");
        } else if (name == "lose") {
            closed_ = true;
            transport().loseConnection();
        } else if (name == "abort") {
            closed_ = true;
            transport().abortConnection();
        } else if (name == "losewrite") {
            transport().as<TCPTransport>().loseWriteConnection();
        } else if (name == "cut") {
            closed_ = true;
            Transport* lowest = &transport();
            while (lowest->lower() != nullptr) lowest = lowest->lower();
            lowest->loseConnection();
        } else if (name == "pause") {
            transport().pauseProducing();
        } else if (name == "resume") {
            transport().resumeProducing();
        } else if (name == "starttls") {
            const bool client = argument.empty() ? end_.connects() : argument == "client";
            TLSRole role = TLSRole::normal;
            if (!argument.empty()) role = client ? TLSRole::client : TLSRole::server;
            transport().as<TLSTransport>().startTLS(driver_.recipes.get(end_, client), role);
        } else if (name == "throw") {
            closed_ = true;
            throw ScriptError("as the script says");
        } else {
            throw std::invalid_argument("no action " + name);
        }
    }

    Bytes take(std::size_t size) {
        Bytes octets;
        octets.reserve(size);
        while (octets.size() < size) {
            const std::size_t start = sent_ % kPeriod;
            const std::size_t piece = std::min(size - octets.size(), kPeriod - start);
            octets.append(pattern_, start, piece);
            sent_ += piece;
        }
        return octets;
    }

    void send(std::size_t size) override { transport().write(take(size)); }
    void unregister() override { transport().unregisterProducer(); }
    void stopped() override { note("stop"); }

    void report() {
        std::string line = "TRACE " + end_.name;
        for (const std::string& event : events_) line += " " + event;
        char data[64];
        std::snprintf(data, sizeof data, "%zu:%08lx", received_, (high_ << 16U) | low_);
        say(line + " received=" + (end_.get("opaque").empty() ? data : "-"));
    }

    End end_;
    Driver& driver_;
    std::vector<End::Rule> rules_;
    const Bytes& pattern_;
    std::vector<std::string> events_;
    std::size_t received_ = 0;
    std::size_t sent_ = 0;
    unsigned long low_ = 1, high_ = 0;
    bool closed_ = false;
    bool secure_ = false;
};

/// The same for an end that goes on when one direction has ended.
class HalfScript : public Script, public HalfCloseableProtocol {
public:
    using Script::Script;
    void readConnectionLost() override {
        note("readlost");
        fire("readlost");
    }
    void writeConnectionLost() override {
        note("writelost");
        fire("writelost");
    }
};

class OneShot : public ClientFactory {
public:
    OneShot(End end, Driver& driver) : end_(std::move(end)), driver_(driver) { noisy = false; }

    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        if (port) port->stopListening().addErrback([] {});
        port.reset();
        if (!end_.get("half").empty()) return std::make_shared<HalfScript>(end_, driver_);
        return std::make_shared<Script>(end_, driver_);
    }
    void clientConnectionFailed(Connector&, const Failure& reason) override {
        say("TRACE " + end_.name + " failed(" + nameOf(reason) + ")");
    }

    std::shared_ptr<ListeningPort> port;

private:
    End end_;
    Driver& driver_;
};

/// Reads commands from stdin, and stops the reactor at its end.
class Commands : public DescriptorListener {
public:
    explicit Commands(Driver& driver) : driver_(driver), watch_(driver.reactor.watch(STDIN_FILENO, *this)) {
        watch_->setReading(true);
    }

    void readable() override {
        char block[65536];
        const ssize_t got = ::read(STDIN_FILENO, block, sizeof block);
        if (got <= 0) {
            watch_.reset();
            driver_.reactor.stop();
            return;
        }
        input_.append(block, static_cast<std::size_t>(got));
        for (std::size_t end = 0; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1)) {
            command(End(input_.substr(0, end)));
        }
    }
    void writable() override {}
    void reactorGone(const Failure&) override { watch_.reset(); }

private:
    void command(const End& end) {
        const auto factory = std::make_shared<OneShot>(end, driver_);
        const bool direct = end.get("tls") == "direct";
        LibeventReactor& reactor = driver_.reactor;
        if (!end.connects()) {
            factory->port = direct ? reactor.listenSSL(0, factory, driver_.recipes.get(end, false), 50, "127.0.0.1")
                                   : reactor.listenTCP(0, factory, 50, "127.0.0.1");
            say("PORT " + end.name + " " + std::to_string(factory->port->getHost().port()));
        } else if (direct) {
            reactor.connectSSL("127.0.0.1", std::stoi(end.get("port")), factory, driver_.recipes.get(end, true));
        } else {
            reactor.connectTCP("127.0.0.1", std::stoi(end.get("port")), factory);
        }
    }

    Driver& driver_;
    std::unique_ptr<DescriptorWatch> watch_;
    std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: differential_driver FOLDER\n", stderr);
        return 2;
    }
    log::addObserver([](const log::Event&) {});  // scripts throw on purpose
    Driver driver(argv[1]);
    Commands commands(driver);
    driver.reactor.run(false);
    return 0;
}
