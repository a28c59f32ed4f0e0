#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct X509_name_st;  // OpenSSL's X509_NAME

namespace torsion::ssl {

/// Who a certificate is about or who signed it (twisted.internet.ssl.DistinguishedName, DN): a few text fields.
///
///     DistinguishedName{{"CN", "example.com"}, {"O", "Example Ltd"}}
///
/// The fields are commonName (CN), organizationName (O), organizationalUnitName (OU), localityName (L),
/// stateOrProvinceName (ST), countryName (C) and emailAddress. Values are UTF-8. A field may have several: a name that
/// is read keeps them all, and their order, which tells issuers apart; new names are put into the customary order, from
/// the country down.
class DistinguishedName {
public:
    DistinguishedName() = default;

    /// Sets each field; one that stands here twice gets both values.
    /// @throws ValueError for an unknown field (Python: AttributeError)
    DistinguishedName(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

    /// Reads OpenSSL's form. Fields that are not listed above are left out.
    static DistinguishedName fromNative(const X509_name_st* name);

    /// Gives a field, named long or short, this one value. @throws ValueError for an unknown field
    DistinguishedName& set(std::string_view field, std::string_view value);

    /// Gives a field one more value. @throws ValueError for an unknown field
    DistinguishedName& add(std::string_view field, std::string_view value);

    /// The first value of a field by its long or short name; none if it is not set. @throws ValueError for an unknown
    /// field
    std::optional<std::string> get(std::string_view field) const;

    /// All values of a field. @throws ValueError for an unknown field
    std::vector<std::string> getAll(std::string_view field) const;

    /// The commonName, or "" if there is none.
    std::string commonName() const { return get("CN").value_or(""); }

    bool empty() const noexcept { return entries_.empty(); }

    /// All values by the long names of their fields, those of one field in order.
    std::multimap<std::string, std::string> fields() const;

    /// Whether both have the same values; the order of different fields does not matter.
    bool operator==(const DistinguishedName& other) const { return fields() == other.fields(); }

    /// "<DN 'commonName': 'example.com', 'organizationName': 'Example Ltd'>"
    std::string str() const;

    /// One line a field, for people.
    std::string inspect() const;

    /// Appends the fields to OpenSSL's form. @throws ssl::Error if one has a value that X.509 does not allow
    void copyInto(X509_name_st* name) const;

private:
    struct Entry {
        std::size_t field;  // its place in the customary order
        std::string value;
        bool joined = false;  // in one RelativeDistinguishedName with the entry before
    };

    void insert(std::size_t field, std::string_view value);

    std::vector<Entry> entries_;
};

using DN = DistinguishedName;

}  // namespace torsion::ssl
