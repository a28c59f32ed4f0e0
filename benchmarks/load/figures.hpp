#pragma once

#include "measure.hpp"
#include "options.hpp"

#include <string>

/// Beginning of the JSON object: the case and its settings, then a comma.
std::string describe(const LoadOptions& options);
/// The measured time from @p begin to @p end, in which @p units were done of @p all from first to last, and how
/// long they took if that is known.
std::string describe(const LoadOptions& options, const char* unit, double units, double all, const Moment& begin,
                     const Moment& end, const Histogram& latencies);
