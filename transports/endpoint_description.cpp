#include <torsion/transports/endpoint_description.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints {

namespace {

std::string at(const std::string& text) { return "endpoint " + quoted(text) + ": "; }

struct Field {
    std::optional<std::string> name;
    std::string value;
};

std::vector<Field> splitFields(const std::string& text) {
    std::vector<Field> fields(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        Field& field = fields.back();
        if (text[i] == '\\') {
            if (++i == text.size()) throw ValueError(at(text) + "the backslash at the end escapes nothing");
            field.value += text[i];
        } else if (text[i] == ':') {
            fields.emplace_back();
        } else if (text[i] == '=' && !field.name) {
            field.name = std::exchange(field.value, {});  // only the first one of a field counts
        } else {
            field.value += text[i];
        }
    }
    return fields;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

namespace detail {

Description parseDescription(const std::string& text) {
    std::vector<Field> fields = splitFields(text);
    if (fields.front().name) throw ValueError(at(text) + "it begins with an argument, not with a type such as tcp");
    Description description{text, fields.front().value, {}, {}};
    for (std::size_t i = 1; i < fields.size(); ++i) {
        Field& field = fields[i];
        if (!field.name) {
            description.positional.push_back(std::move(field.value));
        } else if (!description.named.emplace(*field.name, std::move(field.value)).second) {
            throw TypeError(at(text) + "argument " + quoted(*field.name) + " is given twice");
        }
    }
    return description;
}

std::string quoteField(const std::string& field) {
    std::string result;
    for (const char c : field) {
        if (c == '\\' || c == ':' || c == '=') result += '\\';
        result += c;
    }
    return result;
}

}  // namespace detail

Arguments::Arguments(const Description& description, std::vector<std::string> positional,
                     std::vector<std::string> others)
    : where_(at(description.text)) {
    std::vector<std::string> known = positional;
    known.insert(known.end(), others.begin(), others.end());
    takes_ = "; " + description.type + " takes " + joined(known);
    if (description.positional.size() > positional.size()) {
        refuseAll("argument " + quoted(description.positional[positional.size()]) + " is one too many" + takes_);
    }
    for (std::size_t i = 0; i < description.positional.size(); ++i) set(positional[i], description.positional[i]);
    for (const auto& [name, value] : description.named) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            refuseAll("unknown argument " + quoted(name) + takes_);
        }
        set(name, value);
    }
}

void Arguments::set(const std::string& name, const std::string& value) {
    if (!values_.emplace(name, value).second) refuseAll("argument " + quoted(name) + " is given twice");
}

const std::string& Arguments::required(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) refuseAll("argument " + quoted(name) + " is missing" + takes_);
    return found->second;
}

std::optional<std::string> Arguments::optional(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::string Arguments::orElse(const std::string& name, const std::string& fallback) const {
    return optional(name).value_or(fallback);
}

bool Arguments::yesOrNo(const std::string& name) const {
    const std::string text = orElse(name, "no");
    if (text != "yes" && text != "no") refuse(name, quoted(text) + " is neither yes nor no");
    return text == "yes";
}

bool Arguments::oneOrZero(const std::string& name, bool fallback) const {
    const std::string text = orElse(name, fallback ? "1" : "0");
    if (text != "1" && text != "0") refuse(name, quoted(text) + " is neither 1 nor 0");
    return text == "1";
}

unsigned Arguments::octal(const std::string& name, unsigned most, unsigned fallback) const {
    if (!has(name)) return fallback;
    const std::string& text = required(name);
    constexpr int kOctal = 8;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, kOctal);
    if (error != std::errc() || end != text.data() + text.size() || value > most) {
        std::array<char, 16> digits;
        const auto [stop, ignored] = std::to_chars(digits.data(), digits.data() + digits.size(), most, kOctal);
        refuse(name, quoted(text) + " is not an octal number from 0 to " + std::string(digits.data(), stop));
    }
    return value;
}

int Arguments::number(const std::string& name, int least, int most, std::optional<int> fallback) const {
    if (fallback && !has(name)) return *fallback;
    const std::string& text = required(name);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
        refuse(name, quoted(text) + " is not a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value;
}

int Arguments::backlog() const {
    return number("backlog", 0, std::numeric_limits<int>::max(), ReactorTCP::kDefaultBacklog);
}

Duration Arguments::timeout() const {
    using std::chrono::seconds;
    static constexpr int kFallback =
        static_cast<int>(std::chrono::duration_cast<seconds>(ReactorTCP::kDefaultConnectTimeout).count());
    return seconds(number("timeout", 1, std::numeric_limits<int>::max(), kFallback));
}

Address Arguments::bindAddress() const {
    const std::optional<std::string> literal = optional("bindAddress");
    if (!literal) return Address();
    try {
        return ipAddress(*literal, 0);
    } catch (const InvalidAddressError&) {
        refuse("bindAddress", quoted(*literal) + " is not a literal IP address");
    }
}

std::string Arguments::interface(const std::string& fallback) const {
    const std::string text = orElse("interface", fallback);
    if (!text.empty() && !isIPAddress(text) && !isIPv6Address(text)) {
        refuse("interface", quoted(text) + " is not a literal IP address");
    }
    return text;
}

void Arguments::refuse(const std::string& name, const std::string& why) const {
    throw ValueError(where_ + name + ": " + why);
}

void Arguments::refuseAll(const std::string& why) const { throw TypeError(where_ + why); }

}  // namespace torsion::endpoints
