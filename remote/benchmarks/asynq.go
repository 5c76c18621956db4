//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	goredis "github.com/redis/go-redis/v9"
)

// chunkTask is what a task of asynq carries, including the items.
type chunkTask struct {
	Index int   `json:"index"`
	Items []int `json:"items"`
}

// onAsynq runs the same chunks on asynq, with results in a hash of the same Redis.
func onAsynq(ctx context.Context, address string, n, chunk int) (time.Duration, error) {
	opt := asynq.RedisClientOpt{Addr: address}
	rdb := goredis.NewClient(&goredis.Options{Addr: address})
	defer rdb.Close()
	if err := rdb.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	server := asynq.NewServer(opt, asynq.Config{Concurrency: 200, TaskCheckInterval: 50 * time.Millisecond, LogLevel: asynq.FatalLevel})
	err := server.Start(handler(rdb))
	if err != nil {
		return 0, err
	}
	defer server.Shutdown()
	client := asynq.NewClient(opt)
	defer client.Close()
	begun := time.Now()
	total, err := enqueue(client, n, chunk)
	if err != nil {
		return 0, err
	}
	for next := 0; next < total; {
		data, err := rdb.HGet(ctx, "results", fmt.Sprint(next)).Bytes()
		if err == goredis.Nil { //nolint:errorlint // as its documentation has it
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return 0, err
		}
		var values []int
		if err := json.Unmarshal(data, &values); err != nil {
			return 0, err
		}
		next++
	}
	return time.Since(begun), nil
}

// handler does what [triple] does to the items of a task.
func handler(rdb *goredis.Client) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) error {
		var c chunkTask
		if err := json.Unmarshal(t.Payload(), &c); err != nil {
			return err
		}
		for i := range c.Items {
			c.Items[i] *= 3
		}
		data, err := json.Marshal(c.Items)
		if err != nil {
			return err
		}
		return rdb.HSetNX(ctx, "results", fmt.Sprint(c.Index), data).Err()
	}
}

// enqueue adds tasks from eight goroutines: asynq has no way to add many at once.
func enqueue(client *asynq.Client, n, chunk int) (total int, err error) {
	total = (n + chunk - 1) / chunk
	next := make(chan int)
	errs := make(chan error, 8)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for index := range next {
				c := chunkTask{Index: index}
				for i := index * chunk; i < min(n, (index+1)*chunk); i++ {
					c.Items = append(c.Items, i)
				}
				data, err := json.Marshal(c)
				if err == nil {
					_, err = client.Enqueue(asynq.NewTask("chunk", data))
				}
				if err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for i := range total {
		next <- i
	}
	close(next)
	all.Wait()
	select {
	case err = <-errs:
	default:
	}
	return total, err
}
