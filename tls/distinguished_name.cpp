#include <torsion/tls/distinguished_name.hpp>

#include <array>

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

const Field& findField(std::string_view name) {
    for (const Field& field : kFields) {
        if (name == field.longName || name == field.shortName) return field;
    }
    throw ValueError(printable(name) +
                     " is not a valid field of a distinguished name: use CN, O, OU, L, ST, C, emailAddress or "
                     "their long names");
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
    for (const auto& [field, value] : fields) set(field, value);
}

DistinguishedName DistinguishedName::fromNative(const X509_name_st* name) {
    DistinguishedName result;
    for (const Field& field : kFields) {
        const int index = X509_NAME_get_index_by_NID(name, field.nid, -1);
        if (index >= 0) result.fields_[field.longName] = textOf(X509_NAME_get_entry(name, index));
    }
    return result;
}

DistinguishedName& DistinguishedName::set(std::string_view field, std::string_view value) {
    fields_[findField(field).longName] = value;
    return *this;
}

std::optional<std::string> DistinguishedName::get(std::string_view field) const {
    const auto found = fields_.find(findField(field).longName);
    if (found == fields_.end()) return std::nullopt;
    return found->second;
}

std::string DistinguishedName::str() const {
    std::string text = "<DN ";
    const char* separator = "";
    for (const auto& [field, value] : fields_) {
        text += separator + ("'" + field) + "': '" + printable(value) + "'";
        separator = ", ";
    }
    return text + ">";
}

std::string DistinguishedName::inspect() const {
    std::string text;
    for (const Field& field : kFields) {
        const auto found = fields_.find(field.longName);
        if (found == fields_.end()) continue;
        const std::string label = field.label;
        text += std::string(kLabelWidth - label.size(), ' ') + label + ": " + printable(found->second) + '\n';
    }
    return text;
}

void DistinguishedName::copyInto(X509_name_st* name) const {
    for (const Field& field : kFields) {
        const auto found = fields_.find(field.longName);
        if (found == fields_.end()) continue;
        const std::string& value = found->second;
        const int added = callOpenSSL([&] {
            return X509_NAME_add_entry_by_NID(name, field.nid, MBSTRING_UTF8,
                                              reinterpret_cast<const unsigned char*>(value.data()),
                                              static_cast<int>(value.size()), -1, 0);
        });
        if (added != 1) {
            throwFromQueue("The " + std::string(field.longName) + " '" + printable(value) +
                           "' cannot stand in a certificate");
        }
    }
}

}  // namespace torsion::ssl
