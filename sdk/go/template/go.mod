module {{name_}}

go 1.25

require bitrouter v0.0.0

// The SDK as it was in the BitRouter that made this project.
replace bitrouter => ./bitrouter
