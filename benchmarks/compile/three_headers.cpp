// The three headers of the standard library that hardly any program does without: the measure for echo_user.cpp.

#include <functional>
#include <memory>
#include <string>

int main() {
    auto text = std::make_shared<std::string>("8000");
    std::function<std::size_t()> size = [text] { return text->size(); };
    return size() == 4 ? 0 : 1;
}
