#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct X509_name_st;  // OpenSSL's X509_NAME

namespace torsion::ssl {

/// Who a certificate is about or who signed it (twisted.internet.ssl.DistinguishedName, DN): a few text fields.
///
///     DistinguishedName{{"CN", "example.com"}, {"O", "Example Ltd"}}
///
/// The fields are commonName (CN), organizationName (O), organizationalUnitName (OU), localityName (L),
/// stateOrProvinceName (ST), countryName (C) and emailAddress. Each has at most one value: of a certificate that
/// repeats one, the first counts.
class DistinguishedName {
public:
    DistinguishedName() = default;

    /// @throws ValueError for an unknown field (Python: AttributeError)
    DistinguishedName(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

    /// Reads OpenSSL's form. Fields that are not listed above are left out.
    static DistinguishedName fromNative(const X509_name_st* name);

    /// Sets a field by its long or short name. @throws ValueError for an unknown field
    DistinguishedName& set(std::string_view field, std::string_view value);

    /// A field by its long or short name; none if it is not set. @throws ValueError for an unknown field
    std::optional<std::string> get(std::string_view field) const;

    /// The commonName, or "" if there is none.
    std::string commonName() const { return get("CN").value_or(""); }

    bool empty() const noexcept { return fields_.empty(); }

    /// All fields by their long names.
    const std::map<std::string, std::string>& fields() const noexcept { return fields_; }

    bool operator==(const DistinguishedName& other) const noexcept = default;

    /// "<DN 'commonName': 'example.com', 'organizationName': 'Example Ltd'>"
    std::string str() const;

    /// One line a field, for people.
    std::string inspect() const;

    /// Appends the fields to OpenSSL's form. @throws ssl::Error if one has a value that X.509 does not allow
    void copyInto(X509_name_st* name) const;

private:
    std::map<std::string, std::string> fields_;
};

using DN = DistinguishedName;

}  // namespace torsion::ssl
