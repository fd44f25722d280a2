"""Tests of Stylecast. They synthesise their media; what needs `../shared` skips with its reason when that is absent."""
