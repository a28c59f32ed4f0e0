#include <torsion/tls/distinguished_name.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

struct Field {
    const char* longName;
    const char* shortName;
    const char* label;
    int nid;
};

/// In the order in which they are customarily written into a name.
constexpr std::array<Field, 7> kFields{{
    {"countryName", "C", "Country Name", NID_countryName},
    {"stateOrProvinceName", "ST", "State Or Province Name", NID_stateOrProvinceName},
    {"localityName", "L", "Locality Name", NID_localityName},
    {"organizationName", "O", "Organization Name", NID_organizationName},
    {"organizationalUnitName", "OU", "Organizational Unit Name", NID_organizationalUnitName},
    {"commonName", "CN", "Common Name", NID_commonName},
    {"emailAddress", "emailAddress", "Email Address", NID_pkcs9_emailAddress},
}};

constexpr std::size_t kLabelWidth = 26;

/// The place of a field in that order.
std::size_t findField(std::string_view name) {
    std::string known;
    for (std::size_t i = 0; i < kFields.size(); ++i) {
        const Field& field = kFields[i];
        if (name == field.longName || name == field.shortName) return i;
        known += (known.empty() ? "" : ", ") + std::string(field.longName);
        if (std::string_view(field.longName) != field.shortName) known += std::string(" (") + field.shortName + ")";
    }
    throw ValueError(printable(name) + " is not a valid field of a distinguished name; the fields are " + known);
}

std::string textOf(const X509_NAME_ENTRY* entry) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    if (size < 0) {
        ERR_clear_error();
        return {};
    }
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(text,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    return std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
}

}  // namespace

DistinguishedName::DistinguishedName(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [field, value] : fields) add(field, value);
}

DistinguishedName DistinguishedName::fromNative(const X509_name_st* name) {
    DistinguishedName result;
    int lastSet = -1;
    for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
        const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        const auto field =
            std::find_if(kFields.begin(), kFields.end(), [nid](const Field& each) { return each.nid == nid; });
        if (field == kFields.end()) continue;
        const int set = X509_NAME_ENTRY_set(entry);
        const auto place = static_cast<std::size_t>(field - kFields.begin());
        result.entries_.push_back(Entry{place, textOf(entry), set == lastSet});
        lastSet = set;
    }
    return result;
}

DistinguishedName& DistinguishedName::set(std::string_view field, std::string_view value) {
    const std::size_t place = findField(field);
    const auto isField = [place](const Entry& entry) { return entry.field == place; };
    const auto first = std::find_if(entries_.begin(), entries_.end(), isField);
    if (first == entries_.end()) {
        insert(place, value);
        return *this;
    }
    first->value = value;
    for (std::size_t i = static_cast<std::size_t>(first - entries_.begin()) + 1; i < entries_.size();) {
        if (entries_[i].field != place) {
            ++i;
            continue;
        }
        const bool leads = !entries_[i].joined && i + 1 < entries_.size() && entries_[i + 1].joined;
        if (leads) entries_[i + 1].joined = false;
        entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return *this;
}

DistinguishedName& DistinguishedName::add(std::string_view field, std::string_view value) {
    insert(findField(field), value);
    return *this;
}

void DistinguishedName::insert(std::size_t field, std::string_view value) {
    const auto behind = [field](const Entry& entry) { return entry.field > field && !entry.joined; };
    entries_.insert(std::find_if(entries_.begin(), entries_.end(), behind), Entry{field, std::string(value), false});
}

std::optional<std::string> DistinguishedName::get(std::string_view field) const {
    const std::size_t place = findField(field);
    for (const Entry& entry : entries_) {
        if (entry.field == place) return entry.value;
    }
    return std::nullopt;
}

std::vector<std::string> DistinguishedName::getAll(std::string_view field) const {
    const std::size_t place = findField(field);
    std::vector<std::string> values;
    for (const Entry& entry : entries_) {
        if (entry.field == place) values.push_back(entry.value);
    }
    return values;
}

std::multimap<std::string, std::string> DistinguishedName::fields() const {
    std::multimap<std::string, std::string> result;
    for (const Entry& entry : entries_) result.emplace(kFields[entry.field].longName, entry.value);
    return result;
}

std::string DistinguishedName::str() const {
    std::string text = "<DN ";
    const char* separator = "";
    for (const auto& [field, value] : fields()) {
        text += separator + ("'" + field) + "': '" + printable(value) + "'";
        separator = ", ";
    }
    return text + ">";
}

std::string DistinguishedName::inspect() const {
    std::string text;
    for (std::size_t i = 0; i < kFields.size(); ++i) {
        const std::string label = kFields[i].label;
        for (const std::string& value : getAll(kFields[i].longName)) {
            text += std::string(kLabelWidth - label.size(), ' ') + label + ": " + printable(value) + '\n';
        }
    }
    return text;
}

void DistinguishedName::copyInto(X509_name_st* name) const {
    for (const Entry& entry : entries_) {
        const Field& field = kFields[entry.field];
        const int added = callOpenSSL([&] {
            return X509_NAME_add_entry_by_NID(name, field.nid, MBSTRING_UTF8,
                                              reinterpret_cast<const unsigned char*>(entry.value.data()),
                                              static_cast<int>(entry.value.size()), -1, entry.joined ? -1 : 0);
        });
        if (added != 1) {
            throwFromQueue("The " + std::string(field.longName) + " '" + printable(entry.value) +
                           "' cannot stand in a certificate");
        }
    }
}

}  // namespace torsion::ssl
