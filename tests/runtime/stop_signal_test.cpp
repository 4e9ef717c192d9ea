#include "runtime/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>

namespace wf::testing {
namespace {

class StopSignal : public ::testing::Test {
 protected:
  ~StopSignal() override {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ, SIGPIPE}) {
      std::signal(signal, SIG_DFL);
    }
    clear_stop_request();
  }
};

TEST_F(StopSignal, EverySignalThatWouldEndTheRunAsksForAStop) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ}) {
    catch_stop_signals();
    EXPECT_FALSE(stop_requested());
    std::raise(signal);
    EXPECT_TRUE(stop_requested()) << signal;
    clear_stop_request();
  }
}

TEST_F(StopSignal, SignalsThatComeTwiceDoNotEndTheSave) {
  catch_stop_signals();
  for (const int signal : {SIGHUP, SIGHUP, SIGUSR1, SIGUSR1, SIGXFSZ, SIGXFSZ}) std::raise(signal);
  EXPECT_TRUE(stop_requested());
}

TEST_F(StopSignal, TheSecondSigtermEndsTheProcess) {
  const auto twice = [] {
    catch_stop_signals();
    std::raise(SIGTERM);
    std::raise(SIGTERM);
  };
  EXPECT_EXIT(twice(), ::testing::KilledBySignal(SIGTERM), "");
}

TEST_F(StopSignal, UnderNohupAClosedTerminalIsIgnored) {
  std::signal(SIGHUP, SIG_IGN);
  catch_stop_signals();
  std::raise(SIGHUP);
  EXPECT_FALSE(stop_requested());
}

}  // namespace
}  // namespace wf::testing
