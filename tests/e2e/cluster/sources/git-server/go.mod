module local/git-server

go 1.24
