"""What a look can come to."""

PASSED, FAILED, UNABLE = "passed", "failed", "unable"
