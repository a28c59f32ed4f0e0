#include <torsion/tests/application/running.hpp>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("an unknown user is told before anything starts") {
    Lines lines;
    std::string text;
    MemoryReactor reactor;
    RunOptions options;
    std::string why;
    SUBCASE("a user") {
        options.user = "nobody-of-that-name";
        why = "the user 'nobody-of-that-name' is not known to this system";
    }
    SUBCASE("a group") {
        options.user = "root";
        options.group = "no-group-of-that-name";
        why = "the group 'no-group-of-that-name' is not known to this system";
    }
    SUBCASE("a number without a group") {
        options.user = "3999999999";
        why = "name a group, too";
    }
    SUBCASE("the number that means nobody at all") {
        options.user = "4294967295";
        options.group = "0";
        why = "the user '4294967295' is not known to this system";
    }
    SUBCASE("a group alone") {
        options.group = "root";
        why = "the group 'root' was given without a user";
    }
    const auto running = startApplication(reactor, std::make_shared<Noting>(text), options);
    reactor.start();
    reactor.flush();
    CHECK(running->status() == 67);
    CHECK(text.empty());
    CHECK(lines.has(why));
    CHECK_FALSE(reactor.running());
}

TEST_CASE("only root can become another user, and anybody stay who he is") {
    const UserIdentity own(std::to_string(::geteuid()), std::to_string(::getegid()));
    CHECK(own.uid() == ::geteuid());
    own.assume();
    const UserIdentity other("3999999999", "3999999998");
    CHECK(other.uid() == 3999999999U);
    CHECK(other.gid() == 3999999998U);
    if (::geteuid() == 0) {
        MESSAGE("runs as root: that the others are refused is not tested here");
        return;
    }
    try {
        other.assume();
        FAIL("became another user");
    } catch (const PrivilegeError& error) {
        CHECK(std::string(error.what()).find("only root can, and it runs as uid " + std::to_string(::geteuid())) !=
              std::string::npos);
    }
    std::string text;
    MemoryReactor reactor;
    const auto running =
        startApplication(reactor, std::make_shared<Noting>(text), {.user = "3999999999", .group = "3999999998"});
    LoggedErrors errors;
    reactor.start();
    reactor.flush();
    CHECK(running->status() == 77);
    CHECK(text == "sp s- ");
}
