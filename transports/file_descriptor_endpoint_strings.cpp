#include <limits>

#include <torsion/core/error.hpp>
#include <torsion/transports/endpoint_parsers.hpp>
#include <torsion/transports/file_descriptor_endpoints.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/systemd_listen_fds.hpp>

namespace torsion::endpoints::detail {

namespace {

constexpr int kAnyNumber = std::numeric_limits<int>::max();

/// The family, as Python's socket module calls it without "AF_".
Address::Kind familyOf(const Arguments& arguments) {
    const std::string& domain = arguments.required("domain");
    if (domain == "INET") return Address::Kind::ipv4;
    if (domain == "INET6") return Address::Kind::ipv6;
    if (domain == "UNIX") return Address::Kind::unixPath;
    arguments.refuse("domain", quoted(domain) + " is none of INET, INET6, UNIX");
}

}  // namespace

std::shared_ptr<StreamServerEndpoint> fdServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"fileno", "domain"});
    const int fileDescriptor = arguments.number("fileno", 0, kAnyNumber);
    return std::make_shared<AdoptedStreamServerEndpoint>(reactor, fileDescriptor, familyOf(arguments));
}

std::shared_ptr<StreamServerEndpoint> systemdServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"domain", "index", "name"});
    const Address::Kind family = familyOf(arguments);
    if (arguments.has("index") == arguments.has("name")) {
        arguments.refuseAll("give either index or name, by which systemd passes the socket");
    }
    const ListenFDs& fds = ListenFDs::ofProcess();
    const std::string which = arguments.has("index") ? "index" : "name";
    const int index = which == "index" ? arguments.number(which, 0, kAnyNumber) : 0;
    try {
        const int fileDescriptor =
            which == "index" ? fds.byIndex(static_cast<std::size_t>(index)) : fds.byName(arguments.required(which));
        return std::make_shared<InheritedStreamServerEndpoint>(reactor, fileDescriptor, family);
    } catch (const ValueError& error) {
        arguments.refuse(which, error.what());
    }
}

}  // namespace torsion::endpoints::detail
