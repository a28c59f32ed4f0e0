#pragma once

/// All of torsion that a program needs; the test kit is under torsion/testing/.

#include <torsion/core/abilities.hpp>
#include <torsion/core/connector.hpp>
#include <torsion/core/defer.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/endpoint.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/file.hpp>
#include <torsion/core/log.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/protocols/line_only_receiver.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/protocols/protocol_proxy.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>
#include <torsion/protocols/transport_proxy.hpp>
#include <torsion/protocols/wrapping_factory.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/react.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/key_pair.hpp>
#include <torsion/tls/onion.hpp>
#include <torsion/tls/pop_on_disconnect_transport.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/protocol_negotiation.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>
#include <torsion/transports/endpoints.hpp>
