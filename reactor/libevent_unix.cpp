#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/transports/file_descriptor_port.hpp>
#include <torsion/transports/unix_connector.hpp>
#include <torsion/transports/unix_port.hpp>

// What the reactor offers on UNIX sockets, and on sockets of others.

namespace torsion {

std::shared_ptr<ListeningPort> LibeventReactor::listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                                                           int backlog, unsigned mode, bool wantPID) {
    assertThread();
    auto listening = std::make_shared<UNIXPort>(*this, path, std::move(factory), backlog, mode, wantPID);
    listening->startListening();
    return listening;
}

std::shared_ptr<Connector> LibeventReactor::connectUNIX(const std::string& path, std::shared_ptr<ClientFactory> factory,
                                                        Duration timeout, bool checkPID) {
    assertThread();
    auto connector = std::make_shared<UNIXConnector>(*this, path, std::move(factory), timeout, checkPID);
    connector->connect();
    return connector;
}

std::shared_ptr<ListeningPort> LibeventReactor::adoptStreamPort(int fileDescriptor, Address::Kind addressFamily,
                                                                std::shared_ptr<Factory> factory) {
    assertThread();
    auto listening = std::make_shared<FileDescriptorPort>(*this, fileDescriptor, addressFamily, std::move(factory));
    listening->startListening();
    return listening;
}

void LibeventReactor::adoptStreamConnection(int fileDescriptor, Address::Kind addressFamily,
                                            std::shared_ptr<Factory> factory) {
    assertThread();
    if (!factory) throw ValueError("adoptStreamConnection needs a factory");
    serveFileDescriptor(*this, fileDescriptor, addressFamily, *factory);
}

}  // namespace torsion
