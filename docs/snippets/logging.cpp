// The programs of docs/logging.md, so that they compile. A test compares the two.

#include <torsion/core/log_format.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;
using namespace std::chrono_literals;

// [logger]
using logger::field;

class Till {
public:
    void sell(const std::string& article, int count) {
        log_.info("{count} of {article} sold", field("article", article), field("count", count));
        log_.debug("the drawer: {drawer}", field("drawer", [this] { return describeDrawer(); }));
        try {
            print(article);
        } catch (const std::exception&) {
            log_.failure("no receipt for {article}", field("article", article));
        }
    }

private:
    std::string describeDrawer() const;
    void print(const std::string& article);

    logger::Logger log_{"shop.till"};
};
// [end]

// [begin]
void beginLogging() {
    auto levels = std::make_shared<logger::LogLevelFilterPredicate>();  // info, unless something else is said
    levels->setLogLevelForNamespace("shop.till", logger::LogLevel::debug);
    logger::globalLogBeginner().beginLoggingTo(
        {logger::FilteringLogObserver(logger::textFileLogObserver(stdout), {levels})});
}
// [end]

// [observer]
void countErrors(std::size_t& errors) {
    logger::globalLogPublisher().addObserver([&errors](const logger::LogEvent& event) {
        if (event.level >= logger::LogLevel::error) ++errors;
    });
}
// [end]

// [json]
void logAsJSONLines(std::FILE* file) {
    logger::globalLogBeginner().beginLoggingTo({logger::jsonFileLogObserver(file, "")});
}
// [end]

// [captured]
bool tellsOfTheSale(Till& till) {
    auto logs = logger::capturedLogs();
    till.sell("bread", 2);
    return logs.texts().at(0) == "2 of bread sold";
}
// [end]
