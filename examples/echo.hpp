#pragma once

#include <torsion/examples/report.hpp>
#include <torsion/torsion.hpp>

namespace examples {

/// Sends back whatever comes; under TLS, too.
class Echo : public torsion::Protocol {
public:
    void connectionMade() override {
        // A peer that sends all, ends its side and then reads shall get everything back.
        transport().as<torsion::TCPTransport>().setFinishWriting(true);
    }
    void dataReceived(torsion::BytesView data) override { transport().write(data); }
    void connectionLost(const torsion::Failure& reason) override { lost(reason); }
};

}  // namespace examples
