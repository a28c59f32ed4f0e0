#include <torsion/tls/general_names.hpp>

#include <arpa/inet.h>

#include <array>
#include <new>
#include <string_view>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/identity.hpp>

namespace torsion::ssl {

namespace {

std::string textOfAddress(const ASN1_OCTET_STRING* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int size = ASN1_STRING_length(address);
    const int family = size == 4 ? AF_INET : size == 16 ? AF_INET6 : AF_UNSPEC;
    if (family == AF_UNSPEC) return {};
    return inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
}

void check(int result) {
    if (result <= 0) throwFromQueue("The names of a certificate cannot be put together");
}

void append(GENERAL_NAMES* names, const Identity& identity) {
    std::unique_ptr<GENERAL_NAME, Freer<GENERAL_NAME_free>> name(GENERAL_NAME_new());
    if (!name) throw std::bad_alloc();
    if (identity.isAddress) {
        ASN1_OCTET_STRING* address = callOpenSSL([&] { return a2i_IPADDRESS(identity.name.c_str()); });
        if (address == nullptr) throwFromQueue("The address " + identity.name + " cannot stand in a certificate");
        GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    } else {
        std::unique_ptr<ASN1_IA5STRING, Freer<ASN1_IA5STRING_free>> text(ASN1_IA5STRING_new());
        if (!text) throw std::bad_alloc();
        check(ASN1_STRING_set(text.get(), identity.name.data(), static_cast<int>(identity.name.size())));
        GENERAL_NAME_set0_value(name.get(), GEN_DNS, text.release());
    }
    check(sk_GENERAL_NAME_push(names, name.get()));
    static_cast<void>(name.release());
}

}  // namespace

std::vector<std::string> textsOf(const GENERAL_NAMES* names) {
    std::vector<std::string> result;
    std::vector<std::string> addresses;
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
            result.push_back(printable(text));
        } else if (name->type == GEN_IPADD) {
            if (std::string address = textOfAddress(name->d.iPAddress); !address.empty()) {
                addresses.push_back(std::move(address));
            }
        }
    }
    result.insert(result.end(), addresses.begin(), addresses.end());
    return result;
}

GeneralNamesPointer generalNames(const std::vector<std::string>& names) {
    GeneralNamesPointer list(sk_GENERAL_NAME_new_null());
    if (!list) throw std::bad_alloc();
    for (const std::string& name : names) append(list.get(), Identity::parsePattern(name));
    return list;
}

std::string join(const std::vector<std::string>& texts) {
    std::string joined;
    for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
    return joined;
}

}  // namespace torsion::ssl
