#include <torsion/transports/endpoint_parsers.hpp>
#include <torsion/transports/unix_endpoints.hpp>
#include <torsion/transports/unix_path.hpp>

namespace torsion::endpoints::detail {

namespace {

constexpr unsigned kHighestMode = 07777;

std::string pathOf(const Arguments& arguments, const std::string& name) {
    const std::string& path = arguments.required(name);
    if (const std::string fault = faultOfUNIXPath(path); !fault.empty()) arguments.refuse(name, fault);
    return path;
}

}  // namespace

std::shared_ptr<StreamServerEndpoint> unixServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"address", "mode", "backlog", "lockfile"});
    constexpr bool kLockFile = true;
    return std::make_shared<UNIXServerEndpoint>(reactor, pathOf(arguments, "address"), arguments.backlog(),
                                                arguments.octal("mode", kHighestMode, ReactorUNIX::kDefaultMode),
                                                arguments.oneOrZero("lockfile", kLockFile));
}

std::shared_ptr<StreamClientEndpoint> unixClient(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"path"}, {"timeout", "lockfile"});
    constexpr bool kCheckPID = false;
    return std::make_shared<UNIXClientEndpoint>(reactor, pathOf(arguments, "path"), arguments.timeout(),
                                                arguments.oneOrZero("lockfile", kCheckPID));
}

}  // namespace torsion::endpoints::detail
