#pragma once

/// All endpoints (twisted.internet.endpoints).
#include <torsion/transports/connect_protocol.hpp>
#include <torsion/transports/endpoint_registry.hpp>
#include <torsion/transports/endpoint_strings.hpp>
#include <torsion/transports/file_descriptor_endpoints.hpp>
#include <torsion/transports/hostname_endpoint.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/systemd_listen_fds.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/unix_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>
#include <torsion/transports/wrap_server_tls.hpp>
