// What a user writes for an echo server; how long it takes to compile is measured.

#include <torsion/torsion.hpp>

class Echo : public torsion::Protocol {
public:
    void dataReceived(torsion::BytesView data) override { transport().write(data); }
};

int main() {
    torsion::LibeventReactor reactor;
    auto factory = torsion::Factory::forProtocol<Echo>();
    auto port = reactor.listenTCP(8000, factory);
    reactor.run();
}
