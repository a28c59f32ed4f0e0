/// A fuzz target without libFuzzer, for any compiler: runs the target's seeds, the files that it is given, and
/// mutations of both.
///
///     TARGET_smoke [--mutations N] [--seed S] [--write-seeds FOLDER] [FILE or FOLDER...]

#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

#include <torsion/core/file.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using namespace torsion;
namespace fs = std::filesystem;

std::string crashFile;
const Bytes* running = nullptr;

/// The input that ends the process is the thing to keep. Called at its very end: nothing clever here.
void keepInput() {
    if (running == nullptr) return;
    std::FILE* file = std::fopen(crashFile.c_str(), "wb");
    if (file == nullptr) return;
    std::fwrite(running->data(), 1, running->size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is kept in %s\n", crashFile.c_str());
    running = nullptr;
}

void onSignal(int number) {
    keepInput();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void runOne(const Bytes& input) {
    running = &input;
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    running = nullptr;
}

class Mutator {
public:
    explicit Mutator(std::uint32_t seed) : random_(seed) {}

    Bytes operator()(const std::vector<Bytes>& inputs) {
        Bytes made = inputs[below(inputs.size())];
        for (std::size_t steps = 1 + below(8); steps > 0; --steps) step(made, inputs);
        made.resize(std::min(made.size(), fuzz::kLongestInput));
        return made;
    }

private:
    void step(Bytes& made, const std::vector<Bytes>& inputs) {
        if (made.empty()) {
            made.push_back(octet());
            return;
        }
        const std::size_t at = below(made.size());
        const std::size_t length = 1 + below(std::min<std::size_t>(made.size() - at, 64));
        switch (below(8)) {
            case 0: made[at] = static_cast<char>(made[at] ^ (1 << below(8))); break;
            case 1: made[at] = octet(); break;
            case 2: made.insert(at, 1, octet()); break;
            case 3: made.erase(at, length); break;
            case 4: made.insert(at, made.substr(at, length)); break;
            case 5: made.resize(at); break;
            case 6: {
                const Bytes& other = inputs[below(inputs.size())];
                if (!other.empty()) made.insert(at, other.substr(below(other.size()), 1 + below(64)));
                break;
            }
            default: made.append(inputs[below(inputs.size())]); break;
        }
    }

    std::size_t below(std::size_t bound) { return random_() % bound; }  // the same with every standard library
    char octet() { return static_cast<char>(random_()); }

    std::mt19937 random_;
};

void addInputs(const fs::path& path, std::vector<Bytes>& inputs) {
    if (!fs::is_directory(path)) {
        inputs.push_back(readFile(path.string()));
        return;
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) addInputs(file, inputs);
}

void writeSeeds(const fs::path& folder, const std::vector<Bytes>& seeds) {
    fs::create_directories(folder);
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        std::ofstream file(folder / ("seed-" + std::to_string(i)), std::ios::binary | std::ios::trunc);
        file << seeds[i] << std::flush;
        if (!file) throw std::runtime_error("cannot write to " + folder.string());
    }
}

int work(int argc, char** argv) {
    std::uint32_t seed = 1;
    unsigned long mutations = 1000;
    LLVMFuzzerTestOneInput(nullptr, 0);  // prepares what the seeds are made with
    fuzz::restartRandomness();
    std::vector<Bytes> inputs = fuzz::seeds();
    inputs.emplace_back();
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const auto value = [&] {
            if (++i == argc) throw std::runtime_error(option + " needs a value");
            return std::string(argv[i]);
        };
        if (option == "--mutations") {
            mutations = std::stoul(value());
        } else if (option == "--seed") {
            seed = static_cast<std::uint32_t>(std::stoul(value()));
        } else if (option == "--write-seeds") {
            writeSeeds(value(), inputs);
            return 0;
        } else {
            addInputs(option, inputs);
        }
    }
    std::printf("%zu inputs, then %lu mutations of them from seed %lu\n", inputs.size(), mutations,
                static_cast<unsigned long>(seed));
    std::fflush(stdout);
    for (const Bytes& input : inputs) runOne(input);
    Mutator mutator(seed);
    for (unsigned long i = 0; i < mutations; ++i) runOne(mutator(inputs));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    crashFile = "crash-" + fs::path(argv[0]).filename().string();
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(keepInput);
    }
    for (const int number : {SIGABRT, SIGALRM}) std::signal(number, onSignal);
    try {
        return work(argc, argv);
    } catch (const std::exception& error) {
        keepInput();
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
}
