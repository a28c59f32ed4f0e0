#include <torsion/core/transport.hpp>

#include <torsion/core/abilities.hpp>
#include <torsion/core/type_name.hpp>

namespace torsion {

TCPTransport* Transport::tcpTransport() noexcept { return dynamic_cast<TCPTransport*>(this); }

void Transport::throwUnable(const std::type_info& ability) {
    std::string path;
    for (Transport* layer = this; layer != nullptr; layer = layer->lower()) {
        if (!path.empty()) path += " over ";
        path += typeName(typeid(*layer));
    }
    throw TypeError("No layer of this transport can do " + typeName(ability) + ": it is " + path);
}

}  // namespace torsion
