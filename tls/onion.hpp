#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/tls/onion_factory.hpp>
#include <torsion/tls/onion_transport.hpp>

/// Everything about TLS that is pushed and popped on a live connection.
