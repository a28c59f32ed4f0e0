#pragma once

// Not installed: for names of hosts here and on the floors above.

#include <string>
#include <string_view>

namespace torsion::ssl {

/// A host name in the form in which it stands in DNS, in SNI and in certificates: labels with letters beyond ASCII
/// (U-labels, "bücher") become A-labels ("xn--bcher-kva"), as IDNA2008 has it for a look-up (RFC 5891, 5), after the
/// mapping of UTS 46 without its transitional part, which among others makes capital letters small. A name in ASCII is
/// returned as it is: whether its labels are good is for the caller to say.
/// @param name UTF-8
/// @throws ValueError "it is no internationalized name: ..." with libidn2's own text
std::string toALabels(std::string_view name);

}  // namespace torsion::ssl
