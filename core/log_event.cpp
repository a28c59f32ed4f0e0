#include <torsion/core/log_event.hpp>

#include <string>
#include <vector>

namespace torsion::logger {

const LogValue* LogEvent::find(std::string_view name) const noexcept {
    for (const LogField& field : fields) {
        if (field.name == name) return &field.value;
    }
    return nullptr;
}

/// The event's texts in one block, its fields and its failures. Nothing moves once it is filled.
struct SavedLogEvent::Storage {
    explicit Storage(const LogEvent& original) : event(original) {
        std::size_t octets =
            original.logNamespace.size() + original.format.size() + original.source.size() + original.system.size();
        std::size_t failureCount = original.failure != nullptr ? 1 : 0;
        for (const LogField& field : original.fields) {
            octets += field.name.size();
            if (const auto* text = std::get_if<std::string_view>(&field.value)) octets += text->size();
            if (std::holds_alternative<const Failure*>(field.value)) ++failureCount;
        }
        texts.reserve(octets);
        failures.reserve(failureCount);
        fields.reserve(original.fields.size());

        event.logNamespace = keep(original.logNamespace);
        event.format = keep(original.format);
        event.source = keep(original.source);
        event.system = keep(original.system);
        if (original.failure != nullptr) event.failure = &failures.emplace_back(*original.failure);
        for (const LogField& field : original.fields) {
            LogField& mine = fields.emplace_back(LogField{keep(field.name), field.value});
            if (auto* text = std::get_if<std::string_view>(&mine.value)) *text = keep(*text);
            if (auto* failure = std::get_if<const Failure*>(&mine.value)) *failure = &failures.emplace_back(**failure);
        }
        event.fields = fields;
    }

    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    std::string_view keep(std::string_view text) {
        const std::size_t begin = texts.size();
        texts += text;
        return std::string_view(texts).substr(begin);
    }

    LogEvent event;
    std::string texts;
    std::vector<LogField> fields;
    std::vector<Failure> failures;
};

SavedLogEvent::SavedLogEvent(const LogEvent& event) {
    const auto storage = std::make_shared<const Storage>(event);
    event_ = std::shared_ptr<const LogEvent>(storage, &storage->event);
}

}  // namespace torsion::logger
