#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <torsion/core/failure.hpp>
#include <torsion/core/log_field.hpp>
#include <torsion/core/log_level.hpp>
#include <torsion/core/log_publisher.hpp>

namespace torsion::logger {

/// twisted.logger.Logger: emits events of one namespace to a publisher. Make one for each class or file, as a static or
/// a member; one Logger may be used by many threads.
///
/// An event that nobody wants costs one relaxed load and a branch: its fields are not looked at, and values that are
/// callables are not called. Formats are fmt's, with the fields by their names; they are applied by observers that want
/// text, and no wrong format throws (formatEvent). Nothing that a field, a format or an observer does wrong reaches the
/// caller.
class Logger {
public:
    /// @param logNamespace dotted, such as "shop.orders": filters set levels by it. Not deduced, unlike Twisted's
    /// @param source what speaks, for `{log_source}`
    /// @param publisher outlives the logger
    explicit Logger(std::string logNamespace, std::string source = "", LogPublisher& publisher = globalLogPublisher())
        : namespace_(std::move(logNamespace)), source_(std::move(source)), publisher_(&publisher) {}

    const std::string& logNamespace() const noexcept { return namespace_; }
    const std::string& source() const noexcept { return source_; }

    /// Whether an event of @p level might be wanted: for work that only the log needs. A lazy field is mostly better.
    bool enabled(LogLevel level) const noexcept { return publisher_->enabled(level); }

    /// Emits an event. @param fields made by field()
    template <class... T>
    void emit(LogLevel level, std::string_view format, const Field<T>&... fields) const {
        if (enabled(level)) publish(level, format, nullptr, fields...);
    }

    template <class... T>
    void debug(std::string_view format, const Field<T>&... fields) const {
        emit(LogLevel::debug, format, fields...);
    }
    template <class... T>
    void info(std::string_view format, const Field<T>&... fields) const {
        emit(LogLevel::info, format, fields...);
    }
    template <class... T>
    void warn(std::string_view format, const Field<T>&... fields) const {
        emit(LogLevel::warn, format, fields...);
    }
    template <class... T>
    void error(std::string_view format, const Field<T>&... fields) const {
        emit(LogLevel::error, format, fields...);
    }
    template <class... T>
    void critical(std::string_view format, const Field<T>&... fields) const {
        emit(LogLevel::critical, format, fields...);
    }

    /// Reports @p failure as a critical event, with what was being done: `d.addErrback([](const Failure& f) {
    /// log.failure("While frobbing {knob}", f, field("knob", knob)); })`.
    template <class... T>
    void failure(std::string_view format, const Failure& failure, const Field<T>&... fields) const {
        emitFailure(LogLevel::critical, format, failure, fields...);
    }

    /// The same with the exception that is being handled: call it in a catch clause.
    template <class... T>
    void failure(std::string_view format, const Field<T>&... fields) const {
        emitFailure(LogLevel::critical, format, inFlight(), fields...);
    }

    /// Reports @p failure at another level.
    template <class... T>
    void emitFailure(LogLevel level, std::string_view format, const Failure& failure, const Field<T>&... fields) const {
        if (enabled(level)) publish(level, format, &failure, fields...);
    }

private:
    /// Out of line, so that a call of a logger stays small where it stands.
    template <class... T>
    [[gnu::noinline]] void publish(LogLevel level, std::string_view format, const Failure* failure,
                                   const Field<T>&... fields) const {
        if (!publisher_->wants(level, namespace_)) return;
        [[maybe_unused]] std::array<detail::FieldStorage, sizeof...(T)> storage;
        [[maybe_unused]] std::size_t i = 0;
        const std::array<LogField, sizeof...(T)> values{
            LogField{fields.name, detail::valueOf(fields.value, storage[i++])}...};
        send(level, format, failure, values);
    }

    void send(LogLevel level, std::string_view format, const Failure* failure, std::span<const LogField> fields) const;
    static Failure inFlight();

    std::string namespace_;
    std::string source_;
    LogPublisher* publisher_;
};

}  // namespace torsion::logger
