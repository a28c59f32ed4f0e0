#include <torsion/core/log_file.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace torsion::logger {

FileLogObserver::FileLogObserver(std::FILE* outFile, FormatEvent formatEvent)
    : outFile_(outFile), formatEvent_(std::move(formatEvent)) {}

void FileLogObserver::operator()(const LogEvent& event) {
    const std::string text = formatEvent_(event);
    if (text.empty()) return;
    const bool written = std::fwrite(text.data(), 1, text.size(), outFile_) == text.size();
    if (std::fflush(outFile_) == 0 && written) return;
    const int error = errno;
    std::clearerr(outFile_);
    throw std::system_error(error, std::generic_category(), "an event could not be written to the log file");
}

FileLogObserver textFileLogObserver(std::FILE* outFile, std::string timeFormat) {
    return FileLogObserver(outFile, [timeFormat = std::move(timeFormat)](const LogEvent& event) {
        return formatEventAsClassicLogText(event, timeFormat.empty() ? nullptr : timeFormat.c_str());
    });
}

}  // namespace torsion::logger
