#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <torsion/core/address.hpp>
#include <torsion/core/duration.hpp>

/// The grammar of endpoint strings. Who only uses them wants endpoint_strings.hpp; this is for those who register
/// prefixes of their own (endpoint_registry.hpp).
namespace torsion::endpoints {

/// An endpoint string, taken apart: fields divided by colons, of which those with an equals sign are named (ES-1).
struct Description {
    std::string text;
    std::string type;  // the first field
    std::vector<std::string> positional;
    std::map<std::string, std::string> named;
};

/// The arguments of a description under the names of what they are for (ES-2). Every error names the whole string and
/// the argument.
class Arguments {
public:
    /// @param positional the names that unnamed arguments are for, in order; @param others those that must be named
    /// @throws TypeError for one too many, one with an unknown name, or one given twice
    Arguments(const Description& description, std::vector<std::string> positional,
              std::vector<std::string> others = {});

    bool has(const std::string& name) const { return values_.count(name) != 0; }

    /// @throws TypeError if it is missing
    const std::string& required(const std::string& name) const;

    /// A missing one is none.
    std::optional<std::string> optional(const std::string& name) const;

    std::string orElse(const std::string& name, const std::string& fallback) const;

    /// "yes" or "no"; a missing one is no. @throws ValueError for anything else
    bool yesOrNo(const std::string& name) const;

    /// "1" or "0", as Twisted writes some; a missing one is @p fallback. @throws ValueError for anything else
    bool oneOrZero(const std::string& name, bool fallback) const;

    /// Digits from 0 to 7. @throws ValueError unless they make a number up to @p most
    unsigned octal(const std::string& name, unsigned most, unsigned fallback) const;

    /// A decimal number. @throws ValueError unless it is one in the range; TypeError if missing without @p fallback
    int number(const std::string& name, int least, int most, std::optional<int> fallback = std::nullopt) const;

    int port() const { return number("port", 0, 65535); }

    /// "backlog", which may be left out.
    int backlog() const;

    /// "timeout", in seconds.
    Duration timeout() const;

    /// "bindAddress", a literal. Absent is none (ES-7).
    Address bindAddress() const;

    /// "interface", a literal (ES-6).
    std::string interface(const std::string& fallback) const;

    /// @throws ValueError about the argument @p name
    [[noreturn]] void refuse(const std::string& name, const std::string& why) const;

    /// @throws TypeError about the whole
    [[noreturn]] void refuseAll(const std::string& why) const;

private:
    void set(const std::string& name, const std::string& value);

    std::string where_;  // "endpoint '...': "
    std::string takes_;  // "tcp takes host, port"
    std::map<std::string, std::string> values_;
};

namespace detail {

using endpoints::Arguments;
using endpoints::Description;

/// @throws ValueError for a backslash at the end, or a first field that is no type
/// @throws TypeError for a name given twice (Twisted takes the last)
Description parseDescription(const std::string& text);

/// @p field with all escaped that has a meaning in a description.
std::string quoteField(const std::string& field);

}  // namespace detail
}  // namespace torsion::endpoints
