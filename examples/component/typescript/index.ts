// Two published videos: each is a component of two runs and one wait.
import { PublishedVideo } from "./publishedVideo";

const videos = Object.entries({ harbour: "v0d399g10001", lighthouse: "v0d399g10002" }).map(
    ([name, vid]) => ({
        name,
        video: new PublishedVideo(name, {
            vid,
            renditions: "0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
            posters: "a378f66a5bc2495eb55fc14ac109625f",
        }),
    }),
);

export const files = Object.fromEntries(videos.map(({ name, video }) => [name, video.files]));
export const posters = Object.fromEntries(videos.map(({ name, video }) => [name, video.poster]));
