#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

/// What is written to the stream that it offers.
class CapturedFile {
public:
    CapturedFile() : file_(std::tmpfile()) { REQUIRE(file_ != nullptr); }
    ~CapturedFile() { std::fclose(file_); }
    CapturedFile(const CapturedFile&) = delete;
    CapturedFile& operator=(const CapturedFile&) = delete;
    std::FILE* file() const { return file_; }
    std::string text() const {
        std::rewind(file_);
        std::string all;
        for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) all += static_cast<char>(c);
        return all;
    }

private:
    std::FILE* file_;
};
