#pragma once

#include "connection.hpp"

#include <string>

/// Each runs its case to the end and returns the JSON object of its figures.
std::string runSteady(LoadContext& context);  ///< stream, pingpong, pipelined, lines
std::string runChurn(LoadContext& context);   ///< connect, resume
std::string runIdle(LoadContext& context);
