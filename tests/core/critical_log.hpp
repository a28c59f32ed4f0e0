#pragma once

#include <string>
#include <vector>

#include <torsion/core/failure.hpp>
#include <torsion/core/log.hpp>

/// Collects what is logged while it lives.
class CriticalLog {
public:
    CriticalLog() {
        number_ = torsion::log::addObserver([this](const torsion::log::Event& event) {
            if (event.level != torsion::log::Level::critical) {
                others.emplace_back(event.text);
                return;
            }
            texts.emplace_back(event.text);
            messages.push_back(event.failure->getErrorMessage());
        });
    }
    CriticalLog(const CriticalLog&) = delete;
    CriticalLog& operator=(const CriticalLog&) = delete;
    ~CriticalLog() { torsion::log::removeObserver(number_); }

    std::vector<std::string> texts;     ///< of critical events
    std::vector<std::string> messages;  ///< their failures
    std::vector<std::string> others;    ///< texts of lesser events

private:
    int number_;
};
